//! How does tapdesk run in the world: started, stopped, working until nothing is due?

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tapdesk::app::{self, Parts, Running};
use tapdesk::system::SystemEntropy;
use tapdesk_core::ids::RequestId;
use tapdesk_core::request::State;
use url::Url;

use super::{Fit, World};
use crate::apart::Mortal;

/// The program that runs.
pub(super) enum Tapdesk {
    Here(Box<Running>),
    Apart(Box<Mortal>),
}

impl World {
    /// Where people and webhooks reach tapdesk.
    #[must_use]
    pub fn base(&self) -> Url {
        match &self.running {
            None => nowhere(),
            Some(Tapdesk::Here(running)) => base_url(running.address),
            Some(Tapdesk::Apart(mortal)) => mortal.base.clone(),
        }
    }

    /// Where the admin listener is.
    #[must_use]
    pub fn admin_base(&self) -> Url {
        match &self.running {
            None => nowhere(),
            Some(Tapdesk::Here(running)) => base_url(running.admin_address),
            Some(Tapdesk::Apart(mortal)) => mortal.admin_base.clone(),
        }
    }

    /// The program that runs inside the story.
    pub fn tapdesk(&self) -> anyhow::Result<&Running> {
        match &self.running {
            Some(Tapdesk::Here(running)) => Ok(running),
            Some(Tapdesk::Apart(_)) | None => anyhow::bail!("tapdesk is not running here"),
        }
    }

    /// Starts tapdesk on the files that are there.
    pub async fn start_tapdesk(&mut self) -> anyhow::Result<()> {
        let running = if let Some(apart) = &self.setting.apart {
            let config = self.write_config(|text| text)?;
            Tapdesk::Apart(Box::new(
                Mortal::start(apart, &config, self.hands.now(), self.http.clone()).await?,
            ))
        } else {
            let mut parts =
                Parts::build(&self.config, Arc::new(self.hands.clone()), Arc::new(SystemEntropy))?;
            parts.answer_after = Duration::from_millis(20);
            (self.setting.fit)(&mut parts);
            Tapdesk::Here(Box::new(app::start(&self.config, parts).await?))
        };
        self.running = Some(running);
        self.chat.attach(self.base());
        self.chat.everybody_arrives().await;
        Ok(())
    }

    /// Stops tapdesk as an operator does; kills one that is a process of its own.
    pub async fn stop_tapdesk(&mut self) {
        match self.running.take() {
            Some(Tapdesk::Here(running)) => running.stop().await,
            // It is gone in either case.
            Some(Tapdesk::Apart(mortal)) => drop(mortal.kill().await),
            None => {}
        }
    }

    /// Whether the process that tapdesk is has died, perhaps while somebody waited for its answer.
    pub async fn has_died(&mut self, did_not_answer: bool) -> anyhow::Result<bool> {
        match &mut self.running {
            Some(Tapdesk::Apart(mortal)) => mortal.is_dead(did_not_answer).await,
            Some(Tapdesk::Here(_)) | None => Ok(false),
        }
    }

    /// Starts a process that died again; this one does not.
    pub async fn revive(&mut self) -> anyhow::Result<()> {
        self.stop_tapdesk().await;
        if let Some(apart) = &mut self.setting.apart {
            apart.death = None;
        }
        self.start_tapdesk().await
    }

    /// Stops tapdesk and starts it again on the same files, with whole parts.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.restart_with(Arc::new(|_| {})).await
    }

    /// Stops tapdesk and starts it again on the same files, with other parts.
    pub async fn restart_with(&mut self, fit: Fit) -> anyhow::Result<()> {
        self.stop_tapdesk().await;
        self.setting.fit = fit;
        self.start_tapdesk().await
    }

    /// Lets everybody work until nothing is due.
    pub async fn settle(&self) -> anyhow::Result<()> {
        self.chat.everybody_arrives().await;
        match &self.running {
            Some(Tapdesk::Here(running)) => settle(running).await,
            Some(Tapdesk::Apart(mortal)) => mortal.settle(self.hands.now()).await,
            None => anyhow::bail!("tapdesk is not running"),
        }
    }

    /// Performs what is due while somebody waits for an answer that is held.
    pub async fn works_meanwhile(&self) -> anyhow::Result<()> {
        while self.tapdesk()?.worker.tick().await? > 0 {}
        Ok(())
    }

    /// When the next task is due.
    pub async fn next_due(&self) -> anyhow::Result<Option<Timestamp>> {
        match &self.running {
            Some(Tapdesk::Here(running)) => Ok(running.worker.desk.store().next_due().await?),
            Some(Tapdesk::Apart(mortal)) => mortal.next_due().await,
            None => anyhow::bail!("tapdesk is not running"),
        }
    }

    /// The state of a request, if the store knows it.
    pub async fn state(&self, id: &RequestId) -> anyhow::Result<Option<State>> {
        match &self.running {
            Some(Tapdesk::Here(running)) => {
                let stored = running.worker.desk.store().load(id).await?;
                Ok(stored.map(|stored| stored.request.state))
            }
            Some(Tapdesk::Apart(mortal)) => mortal.state(id.as_str()).await,
            None => anyhow::bail!("tapdesk is not running"),
        }
    }

    /// Moves the time on, stopping wherever a task is due.
    pub async fn advance(&self, by: Duration) -> anyhow::Result<()> {
        let target = self.hands.now().saturating_add(by)?;
        for _ in 0..20_000 {
            self.settle().await?;
            match self.next_due().await? {
                Some(due) if due <= target => self.hands.set(due.max(self.hands.now())),
                Some(_) | None => {
                    self.hands.set(target);
                    return self.settle().await;
                }
            }
        }
        anyhow::bail!("time does not get there: something is always due")
    }

    /// What a collector of metrics reads.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        Ok(self.http.get(self.admin_base().join("metrics")?).send().await?.text().await?)
    }

    /// What tapdesk logged since the world began, at TRACE.
    #[must_use]
    pub fn logged(&self) -> String {
        self.logs.text()
    }
}

/// Lets a program work until nothing is due.
pub async fn settle(running: &Running) -> anyhow::Result<()> {
    for _ in 0..200 {
        running.idle().await;
        if running.worker.tick().await? == 0 {
            running.idle().await;
            return Ok(());
        }
    }
    anyhow::bail!("there was always another task due")
}

/// Where nobody listens.
fn nowhere() -> Url {
    base_url(SocketAddr::from(([127, 0, 0, 1], 1)))
}

fn base_url(address: SocketAddr) -> Url {
    let text = format!("http://{address}/");
    Url::parse(&text).unwrap_or_else(|error| unreachable!("{text}: {error}"))
}
