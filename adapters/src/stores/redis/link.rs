//! Over which connections are commands sent, and what happens when one is lost?
//!
//! A command whose connection breaks is sent once more over a new one, although nobody knows whether it was carried out:
//! every script stands that, as it has to where a cluster's client follows its nodes by itself. A server that was
//! restarted thus costs nobody a try. Where sentinels watch, the new connection is one to whichever server they call the
//! primary by then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig, MultiplexedConnection, PubSub};
use redis::cluster::{ClusterClient, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::{Mutex, Notify};

use super::address::Address;
use super::fault;

/// Until sentinels have named the primary: the library gives one that is dead a second before it asks the next.
const LOOKUP_WITHIN: Duration = Duration::from_secs(4);

/// Time limits of connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until a connection stands.
    pub(super) connect: Duration,
    /// Until a command is answered.
    pub(super) respond: Duration,
}

/// The way to the server or servers.
#[derive(Clone)]
pub(super) enum Link {
    Server { client: Box<Client>, connection: ConnectionManager },
    Watched(Arc<Watched>),
    Cluster { nodes: Arc<[Client]>, next: Arc<AtomicUsize>, connection: ClusterConnection },
}

/// One of the primaries.
pub(super) struct Primary {
    link: Link,
    /// Which of a cluster's.
    node: Option<SingleNodeRoutingInfo>,
}

/// The primary that sentinels name.
pub(super) struct Watched {
    limits: Limits,
    lookup: Mutex<Lookup>,
    lost: Notify,
}

struct Lookup {
    sentinels: SentinelClient,
    primary: Option<Found>,
    /// Counts the primaries found, so that nobody gives up a newer one than they used.
    found: u64,
}

#[derive(Clone)]
struct Found {
    number: u64,
    client: Client,
    connection: MultiplexedConnection,
}

impl Link {
    /// Not connected yet; needs a running tokio runtime.
    pub(super) fn new(address: Address, limits: Limits) -> RedisResult<Self> {
        Ok(match address {
            Address::Server(info) => {
                let client = Client::open(*info)?;
                // One further try is for a connection that died idle; patience beyond that is the caller's to have.
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(limits.connect))
                    .set_response_timeout(Some(limits.respond))
                    .set_number_of_retries(1)
                    .set_min_delay(Duration::from_millis(50))
                    .set_max_delay(Duration::from_millis(200));
                let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
                Self::Server { client: Box::new(client), connection }
            }
            Address::Sentinels(sentinels) => Self::Watched(Arc::new(Watched {
                limits,
                lookup: Mutex::new(Lookup { sentinels: *sentinels, primary: None, found: 0 }),
                lost: Notify::new(),
            })),
            Address::Cluster(nodes) => {
                let config = ClusterConfig::new()
                    .set_connection_timeout(limits.connect)
                    .set_response_timeout(limits.respond);
                let client = ClusterClient::builder(nodes.clone())
                    .retries(3)
                    .min_retry_wait(50)
                    .max_retry_wait(200)
                    .overall_response_timeout(Some(limits.connect + limits.respond))
                    .build()?;
                let connection = client.get_pending_async_connection_with_config(config);
                let nodes: RedisResult<Vec<_>> = nodes.into_iter().map(Client::open).collect();
                Self::Cluster { nodes: nodes?.into(), next: Arc::default(), connection }
            }
        })
    }

    /// Whether commands that are sent together are carried out in their order.
    pub(super) fn keeps_order(&self) -> bool {
        match self {
            Self::Server { .. } | Self::Watched(_) => true,
            Self::Cluster { .. } => false,
        }
    }

    /// Whether a replica may take the primary's place.
    pub(super) fn fails_over(&self) -> bool {
        match self {
            Self::Server { .. } => false,
            Self::Watched(_) | Self::Cluster { .. } => true,
        }
    }

    /// Sends one command.
    pub(super) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        match self.send_once(command).await {
            Err(error) if fault::is_cut(&error) => self.send_once(command).await,
            answered => answered,
        }
    }

    async fn send_once(&self, command: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Server { connection, .. } => connection.clone().send_packed_command(command).await,
            Self::Watched(watched) => {
                let mut primary = watched.primary().await?;
                let answer = primary.connection.send_packed_command(command).await;
                let answer = answer.and_then(Value::extract_error);
                watched.judge(primary.number, answer.as_ref().err()).await;
                answer
            }
            Self::Cluster { connection, .. } => connection.clone().req_packed_command(command).await,
        }
        .and_then(Value::extract_error)
    }

    /// Sends commands together; each has an answer of its own, unless the connection failed them all.
    pub(super) async fn send_all(&self, commands: &Pipeline) -> RedisResult<Vec<RedisResult<Value>>> {
        match self.send_all_once(commands).await {
            Err(error) if fault::is_cut(&error) => self.send_all_once(commands).await,
            answered => answered,
        }
    }

    async fn send_all_once(&self, commands: &Pipeline) -> RedisResult<Vec<RedisResult<Value>>> {
        let each = |answers: Vec<Value>| answers.into_iter().map(Value::extract_error).collect();
        match self {
            Self::Server { connection, .. } => {
                connection.clone().send_packed_commands(commands, 0, commands.len()).await.map(each)
            }
            Self::Watched(watched) => {
                let mut primary = watched.primary().await?;
                let answers =
                    primary.connection.send_packed_commands(commands, 0, commands.len()).await.map(each);
                let errors = match &answers {
                    Ok(answers) => answers.iter().find_map(|answer: &RedisResult<_>| answer.as_ref().err()),
                    Err(error) => Some(error),
                };
                watched.judge(primary.number, errors).await;
                answers
            }
            // They may belong to several nodes.
            Self::Cluster { .. } => Ok(join_all(commands.cmd_iter().map(|one| self.send(one))).await),
        }
    }

    /// Every primary there is.
    pub(super) async fn primaries(&self) -> RedisResult<Vec<Primary>> {
        let link = self.clone();
        let Self::Cluster { connection, .. } = self else { return Ok(vec![Primary { link, node: None }]) };
        let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        let Value::Map(answers) = connection.clone().route_command(redis::cmd("PING"), everywhere).await?
        else {
            return Err((ErrorKind::UnexpectedReturnType, "not one answer per node").into());
        };
        let primary = |(address, _)| {
            let address: String = redis::from_redis_value(address)?;
            let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
            let port =
                port.parse().map_err(|_| (ErrorKind::UnexpectedReturnType, "a node without a port"))?;
            let node = SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port };
            Ok(Primary { link: link.clone(), node: Some(node) })
        };
        answers.into_iter().map(primary).collect()
    }

    /// A connection for messages. A cluster passes every message on to all of its nodes, so any one of them will do.
    pub(super) async fn subscriber(&self) -> RedisResult<PubSub> {
        match self {
            Self::Server { client, .. } => client.get_async_pubsub().await,
            Self::Watched(watched) => {
                let primary = watched.primary().await?;
                let subscriber = primary.client.get_async_pubsub().await;
                watched.judge(primary.number, subscriber.as_ref().err()).await;
                subscriber
            }
            Self::Cluster { nodes, next, .. } => {
                let node = nodes.iter().cycle().nth(next.fetch_add(1, Ordering::Relaxed) % nodes.len());
                let node = node.ok_or((ErrorKind::InvalidClientConfig, "a cluster without nodes"))?;
                node.get_async_pubsub().await
            }
        }
    }

    /// Returns when the primary was lost: it may be gone without having closed a subscription.
    pub(super) async fn lost(&self) {
        match self {
            Self::Watched(watched) => watched.lost.notified().await,
            Self::Server { .. } | Self::Cluster { .. } => std::future::pending().await,
        }
    }
}

impl Primary {
    pub(super) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        match (&self.link, &self.node) {
            (Link::Cluster { connection, .. }, Some(node)) => {
                let here = RoutingInfo::SingleNode(node.clone());
                connection.clone().route_command(command.clone(), here).await.and_then(Value::extract_error)
            }
            (link, _) => link.send(command).await,
        }
    }
}

impl Watched {
    async fn primary(&self) -> RedisResult<Found> {
        // Boxed: it is seldom run, and would make every caller's future as deep and as large.
        let found = tokio::time::timeout(LOOKUP_WITHIN, Box::pin(self.find())).await;
        found.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }

    /// Asks the sentinels, unless the primary is known. Locked while it asks, so that it is asked once.
    async fn find(&self) -> RedisResult<Found> {
        let mut lookup = self.lookup.lock().await;
        if let Some(primary) = &lookup.primary {
            return Ok(primary.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.limits.connect))
            .set_response_timeout(Some(self.limits.respond));
        let client = lookup.sentinels.async_get_client().await?;
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        lookup.found += 1;
        let primary = Found { number: lookup.found, client, connection };
        lookup.primary = Some(primary.clone());
        Ok(primary)
    }

    /// Gives the primary up over an error that says, or may mean, that it is none any more.
    async fn judge(&self, number: u64, error: Option<&RedisError>) {
        if error.is_some_and(fault::has_lost_primary) {
            let mut lookup = self.lookup.lock().await;
            if lookup.found == number && lookup.primary.take().is_some() {
                self.lost.notify_waiters();
            }
        }
    }
}
