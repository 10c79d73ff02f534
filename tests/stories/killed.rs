//! tapdesk dies between any two effects, and is started again.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tapdesk::config::StoreKind;
use tapdesk_tests::apart::Apart;
use tapdesk_tests::fuse::Death;
use tapdesk_tests::patience::{Day, Patience};
use tapdesk_tests::world::Setting;
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

fn apart(death: Option<(usize, Death)>) -> Apart {
    Apart { program: Path::new(env!("CARGO_BIN_EXE_mortal")).to_owned(), death }
}

/// Counts the effects of the undisturbed day, then dies at each of them, beginning with the first `from`.
async fn kill_at_each_effect(day: Day, from: &str) -> anyhow::Result<()> {
    let (effects, _) = Box::pin(Patience::tell(apart(None), day)).await.context("without any death")?;
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut deaths = JoinSet::new();
    let mut killed = 0;
    for (n, effect) in (1..).zip(effects.clone()).skip_while(|(_, effect)| *effect != from) {
        for death in deaths_of(day, &effect) {
            killed += 1;
            let (place, effect) = (Arc::clone(&places).acquire_owned().await?, effect.clone());
            deaths.spawn(async move {
                let told = Patience::tell(apart(Some((n, *death))), day).await;
                drop(place);
                let told = told.and_then(|(_, has_died)| {
                    ensure!(has_died, "nobody died");
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
    let store = match Setting::default().store {
        StoreKind::Embedded => "embedded",
        StoreKind::Redis => "redis",
    };
    let day = match day {
        Day::Good => "good",
        Day::Bad => "bad",
    };
    let effects = effects.len();
    eprintln!(
        "kill matrix, {store}: {killed} times SIGKILL at the {effects} effects of a {day} day, all recovered"
    );
    Ok(())
}

/// The good day shows that tasks and messages survive any death. On the bad day the question is what becomes of the pass:
/// it dies at each look into the directory and at each step that is written down.
fn deaths_of(day: Day, effect: &str) -> &'static [Death] {
    let is_step = matches!(effect, "ledger.append" | "store.commit");
    match day {
        Day::Good => &[Death::Before, Death::After],
        Day::Bad if effect.starts_with("directory.") => &[Death::Before, Death::After],
        Day::Bad if is_step => &[Death::Before],
        Day::Bad => &[],
    }
}
