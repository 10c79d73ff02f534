//! Which server, or servers, does the store's url name?
//!
//! One: `redis://user:password@host:6379/0`, `rediss://…` for TLS, or `unix:///path`. The primary that sentinels name:
//! `redis+sentinel://user:password@sentinel1:26379,sentinel2:26379/name/0`, where user and password are those of the
//! servers; sentinels that want some too get `?sentinel_username=…&sentinel_password=…`. A cluster, by some of its nodes:
//! `redis+cluster://user:password@node1:6379,node2:6379`. The last two with `rediss+` for TLS on every connection.

use redis::sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType};
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, TlsMode};

use super::ConnectError;

const SENTINEL_PORT: u16 = 26379;
const SERVER_PORT: u16 = 6379;

/// What a url names.
pub(super) enum Address {
    Server(Box<ConnectionInfo>),
    Sentinels(Box<SentinelClient>),
    Cluster(Vec<ConnectionInfo>),
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, ConnectError> {
        let (scheme, rest) = url.split_once("://").ok_or(ConnectError::Url("it has no scheme"))?;
        if url.contains('#') {
            return Err(ConnectError::Url("it has a fragment, which would switch off checks"));
        }
        match scheme {
            "redis" | "rediss" | "unix" => Ok(Self::Server(Box::new(info(url)?))),
            "redis+sentinel" | "rediss+sentinel" => Parts::of(scheme, rest).sentinels(),
            "redis+cluster" | "rediss+cluster" => Parts::of(scheme, rest).cluster(),
            _ => Err(ConnectError::Url("its scheme is unknown")),
        }
    }
}

/// A url of several hosts.
struct Parts<'u> {
    /// Of each connection: `redis` or `rediss`.
    scheme: &'u str,
    user: Option<&'u str>,
    hosts: &'u str,
    path: &'u str,
    query: &'u str,
}

impl<'u> Parts<'u> {
    fn of(scheme: &'u str, rest: &'u str) -> Self {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let scheme = scheme.split_once('+').map_or(scheme, |(scheme, _)| scheme);
        Self { scheme, user, hosts, path, query }
    }

    fn sentinels(&self) -> Result<Address, ConnectError> {
        let (name, database) = self.path.split_once('/').unwrap_or((self.path, ""));
        if name.is_empty() {
            return Err(ConnectError::Url("it lacks the name that the sentinels give the primary: …/name"));
        }
        let mut credentials = RedisConnectionInfo::default().set_skip_set_lib_name();
        for (key, value) in url::form_urlencoded::parse(self.query.as_bytes()) {
            credentials = match key.as_ref() {
                "sentinel_username" => credentials.set_username(value),
                "sentinel_password" => credentials.set_password(value),
                _ => return Err(ConnectError::Url("it has an unknown parameter")),
            };
        }
        let sentinels = self.nodes(None, SENTINEL_PORT)?;
        let sentinels =
            sentinels.into_iter().map(|info| info.set_redis_settings(credentials.clone())).collect();
        // The host does not matter: the sentinels name one.
        let server = info(&format!("{}://{}localhost/{database}", self.scheme, userinfo(self.user)))?;
        let mut servers =
            SentinelNodeConnectionInfo::default().set_redis_connection_info(server.redis_settings().clone());
        if self.scheme == "rediss" {
            servers = servers.set_tls_mode(TlsMode::Secure);
        }
        let sentinels = SentinelClient::build(sentinels, name, Some(servers), SentinelServerType::Master);
        Ok(Address::Sentinels(Box::new(sentinels.map_err(|_| ConnectError::Url("it is not usable"))?)))
    }

    fn cluster(&self) -> Result<Address, ConnectError> {
        if !self.path.is_empty() || !self.query.is_empty() {
            return Err(ConnectError::Url("something follows its hosts, and a cluster has one database"));
        }
        Ok(Address::Cluster(self.nodes(self.user, SERVER_PORT)?))
    }

    fn nodes(&self, user: Option<&str>, port: u16) -> Result<Vec<ConnectionInfo>, ConnectError> {
        let one = |host: &str| {
            // An IPv6 address stands in brackets.
            let has_port = host.rsplit_once(']').map_or(host, |(_, port)| port).contains(':');
            let port = if has_port { String::new() } else { format!(":{port}") };
            info(&format!("{}://{}{host}{port}", self.scheme, userinfo(user)))
        };
        self.hosts.split(',').map(one).collect()
    }
}

fn userinfo(user: Option<&str>) -> String {
    user.map(|user| format!("{user}@")).unwrap_or_default()
}

fn info(url: &str) -> Result<ConnectionInfo, ConnectError> {
    let info = url.into_connection_info().map_err(|_| ConnectError::Url("it is not well-formed"))?;
    if let ConnectionAddr::Tcp(host, _) = info.addr()
        && !is_loopback(host)
    {
        tracing::warn!(
            "the store's url has no TLS: who can read the network reads names and can change requests; use rediss"
        );
    }
    // The library's name is of no use to anybody, and before Redis 7.2 an ACL cannot even allow sending it.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    Ok(info.set_redis_settings(settings))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
