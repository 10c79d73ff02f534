//! Who reminds an approver when several replicas could? One of them.

use anyhow::ensure;
use tapdesk_tests::chat::Call;
use tapdesk_tests::replicas::Replicas;
use tapdesk_tests::scene::rulebook;
use tapdesk_tests::world::Setting;

use crate::sharing::jane_is_asked_for;

#[tokio::test(flavor = "multi_thread")]
async fn an_approver_is_reminded_once_by_two_replicas() -> anyhow::Result<()> {
    let setting = Setting { policy: rulebook("remind_after = \"2s\"", &[""]), ..Setting::default() };
    let mut replicas = Replicas::with(2, setting, str::to_owned).await?;
    jane_is_asked_for(&replicas).await?;
    // Mary's and Otto's reminders, after the three messages of the beginning.
    replicas.world.chat.arrived(Call::Say, 5).await;
    replicas.world.chat.wire().landed().await;
    replicas.stop().await?;
    replicas.world.settle().await?;
    let world = &replicas.world;
    let reminded = world.events("approver.reminded")?;
    let cards: usize =
        [&world.mary, &world.otto].map(|who| world.chat.inbox(&who.account).len()).iter().sum();
    ensure!(reminded >= 2 && cards == 2 + reminded, "{cards} cards for {reminded} reminders");
    ensure!(replicas.said("a task is repeated").is_empty(), "a task was done twice without any death");
    replicas.finish().await
}
