//! tapdesk dies between any two effects, and is started again.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tapdesk_tests::fuse::{Death, Fuse};
use tapdesk_tests::patience::{Day, Patience};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Worlds at a time: more would only wait for each other on a small machine.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_effects_of_a_good_day_nothing_is_lost() -> anyhow::Result<()> {
    kill_at_each_effect(Day::Good, "ledger.append").await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_any_two_effects_of_a_bad_day_nothing_is_lost() -> anyhow::Result<()> {
    // Until the first create both days are the same.
    kill_at_each_effect(Day::Bad, "directory.create_pass").await
}

/// Counts the effects of the undisturbed day, then dies at each of them, beginning with the first `from`.
async fn kill_at_each_effect(day: Day, from: &str) -> anyhow::Result<()> {
    let counting = Fuse::counting();
    Patience::tell(counting.clone(), day).await.context("without any death")?;
    let effects = counting.effects();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut deaths = JoinSet::new();
    let mut killed = 0;
    for (n, effect) in (1..).zip(effects.clone()).skip_while(|(_, effect)| *effect != from) {
        for death in deaths_of(day, effect) {
            killed += 1;
            let place = Arc::clone(&places).acquire_owned().await?;
            deaths.spawn(async move {
                let fuse = Fuse::at(n, *death);
                let told = Patience::tell(fuse.clone(), day).await;
                drop(place);
                let told = told.and_then(|()| {
                    ensure!(fuse.is_blown(), "nobody died");
                    Ok(())
                });
                told.with_context(|| format!("killed {death:?} effect {n} ({effect})"))
            });
        }
    }
    let failed: Vec<String> = deaths
        .join_all()
        .await
        .into_iter()
        .filter_map(|told| told.err().map(|error| format!("{error:#}")))
        .collect();
    ensure!(failed.is_empty(), "{} deaths were not survived:\n{}", failed.len(), failed.join("\n"));
    eprintln!("kill matrix: {} effects, killed at {killed} points, all recovered", effects.len());
    Ok(())
}

/// After an effect inside the machine is the same as before the next one, except for who waits for an answer; the good
/// day shows that it makes no difference, and the bad day leaves it at the effects outside.
fn deaths_of(day: Day, effect: &str) -> &'static [Death] {
    match day {
        Day::Bad if !effect.starts_with("directory.") => &[Death::Before],
        Day::Good | Day::Bad => &[Death::Before, Death::After],
    }
}
