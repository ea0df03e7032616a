//! The Redis URL: which kind of Redis it names, and where that is.

use percent_encoding::percent_decode_str;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo, RedisError};

const SENTINEL_PORT: u16 = 26379;

/// Where Redis is, and how to log in.
pub(super) enum Address {
    /// One server, by TCP, TLS or a unix socket.
    Server(ConnectionInfo),
    Sentinel {
        /// With what to log in to the sentinels themselves.
        sentinels: Vec<ConnectionInfo>,
        /// The name under which the sentinels know it.
        master: String,
        /// With what to log in to the master, and its database.
        login: RedisConnectionInfo,
    },
    /// Some of the cluster's nodes; they tell of the others.
    Cluster(Vec<ConnectionInfo>),
}

/// Why a URL is refused, and what to write instead. Never shows a part of the URL, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidAddress {
    #[error(
        "it must begin with redis:// (host:6379/0), rediss:// (the same with TLS), redis+unix:// (/path/to/socket), \
         redis+sentinel:// (host:26379,host2:26379/MASTER) or redis+cluster:// (host:6379,host2:6379); \
         the last two have rediss+sentinel:// and rediss+cluster:// for TLS"
    )]
    UnknownScheme,
    #[error("a host is missing: write {0}")]
    NoHost(&'static str),
    #[error(
        "it names several hosts: write redis+sentinel://host:26379,host2:26379/MASTER for sentinels, or \
         redis+cluster://host:6379,host2:6379 for the nodes of a cluster"
    )]
    SeveralHosts,
    #[error(
        "the name of the master is missing: write redis+sentinel://host:26379,host2:26379/MASTER, with the name that \
         `sentinel monitor` gives it, for example mymaster"
    )]
    NoMaster,
    #[error("what follows the {0} must be the number of a database, such as /0")]
    NotADatabase(&'static str),
    #[error("a cluster has no databases: leave out what follows the hosts")]
    ClusterDatabase,
    #[error("certificates are always checked: leave out the #, and name the CA of your own certificates by --redis-ca")]
    Fragment,
    #[error("a Sentinel URL may have ?sentinel_username= and &sentinel_password=, and no other parameters")]
    UnknownParameter,
    #[error("in a user name or password, write each of : / ? # [ ] @ % percent-encoded, such as %2F for /")]
    Unencoded,
    #[error("it cannot be read")]
    Unreadable(#[source] RedisError),
    #[error(
        "--redis-ca is for TLS: begin the URL with rediss://, rediss+sentinel:// or rediss+cluster://, or leave it out"
    )]
    CaWithoutTls,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Self, InvalidAddress> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidAddress::UnknownScheme)?;
        match scheme {
            "redis+unix" | "valkey+unix" | "unix" => info(url).map(Self::Server),
            "redis" | "rediss" | "valkey" | "valkeys" => server(url, &Parts::of(rest)?),
            "redis+sentinel" => sentinel("redis", &Parts::of(rest)?),
            "rediss+sentinel" => sentinel("rediss", &Parts::of(rest)?),
            "redis+cluster" => cluster("redis", &Parts::of(rest)?),
            "rediss+cluster" => cluster("rediss", &Parts::of(rest)?),
            _ => Err(InvalidAddress::UnknownScheme),
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        let first = match self {
            Self::Server(server) => Some(server),
            Self::Sentinel { sentinels, .. } => sentinels.first(),
            Self::Cluster(nodes) => nodes.first(),
        };
        first.is_some_and(|info| matches!(info.addr(), ConnectionAddr::TcpTls { .. }))
    }
}

/// What follows the scheme: `[user[:password]@]host[:port][,host[:port]…][/path][?query]`.
struct Parts<'url> {
    /// Up to and with the `@`, as it stands there.
    login: &'url str,
    hosts: Vec<&'url str>,
    path: &'url str,
    query: &'url str,
}

impl<'url> Parts<'url> {
    fn of(rest: &'url str) -> Result<Self, InvalidAddress> {
        let (authority, behind) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // A password with one of the three in it.
        if behind.contains('@') {
            return Err(InvalidAddress::Unencoded);
        }
        if behind.contains('#') {
            return Err(InvalidAddress::Fragment);
        }
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
        Ok(Self { login, hosts: hosts.split(',').collect(), path: path.trim_matches('/'), query })
    }

    fn has_every_host(&self) -> bool {
        self.hosts.iter().all(|host| !host.is_empty() && !host.starts_with(':'))
    }
}

fn server(url: &str, parts: &Parts<'_>) -> Result<Address, InvalidAddress> {
    if parts.hosts.len() > 1 {
        return Err(InvalidAddress::SeveralHosts);
    }
    if !parts.has_every_host() {
        return Err(InvalidAddress::NoHost("redis://host:6379"));
    }
    database(parts.path, "host")?;
    info(url).map(Address::Server)
}

fn sentinel(scheme: &str, parts: &Parts<'_>) -> Result<Address, InvalidAddress> {
    if !parts.has_every_host() {
        return Err(InvalidAddress::NoHost("redis+sentinel://host:26379,host2:26379/MASTER"));
    }
    let (master, number) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    let master = percent_decode_str(master).decode_utf8_lossy().into_owned();
    if master.is_empty() {
        return Err(InvalidAddress::NoMaster);
    }
    let number = database(number, "name of the master")?;
    let login = info(&format!("{scheme}://{}{}", parts.login, parts.hosts[0]))?.redis_settings().clone().set_db(number);
    let sentinel_login = sentinel_login(parts.query)?;
    let sentinels = parts.hosts.iter().map(|host| {
        let port = if has_port(host) { String::new() } else { format!(":{SENTINEL_PORT}") };
        Ok(info(&format!("{scheme}://{host}{port}"))?.set_redis_settings(sentinel_login.clone()))
    });
    Ok(Address::Sentinel { sentinels: sentinels.collect::<Result<_, _>>()?, master, login })
}

fn cluster(scheme: &str, parts: &Parts<'_>) -> Result<Address, InvalidAddress> {
    if !parts.has_every_host() {
        return Err(InvalidAddress::NoHost("redis+cluster://host:6379,host2:6379"));
    }
    if !["", "0"].contains(&parts.path) {
        return Err(InvalidAddress::ClusterDatabase);
    }
    let nodes = parts.hosts.iter().map(|host| info(&format!("{scheme}://{}{host}", parts.login)));
    nodes.collect::<Result<_, _>>().map(Address::Cluster)
}

fn info(url: &str) -> Result<ConnectionInfo, InvalidAddress> {
    let info = url.into_connection_info().map_err(InvalidAddress::Unreadable)?;
    // It would be one more command that a locked-down user needs.
    let settings = info.redis_settings().clone().set_skip_set_lib_name();
    Ok(info.set_redis_settings(settings))
}

/// Sentinels have passwords of their own, if any: theirs must not get that of Redis.
fn sentinel_login(query: &str) -> Result<RedisConnectionInfo, InvalidAddress> {
    let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or(InvalidAddress::UnknownParameter)?;
        let value = percent_decode_str(value).decode_utf8_lossy();
        login = match name {
            "sentinel_username" => login.set_username(value),
            "sentinel_password" => login.set_password(value),
            _ => return Err(InvalidAddress::UnknownParameter),
        };
    }
    Ok(login)
}

fn database(number: &str, after: &'static str) -> Result<i64, InvalidAddress> {
    if number.is_empty() {
        return Ok(0);
    }
    number.parse::<u32>().map(i64::from).map_err(|_| InvalidAddress::NotADatabase(after))
}

/// A colon inside the brackets of an IPv6 address is none.
fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'))
}

#[cfg(test)]
mod tests;
