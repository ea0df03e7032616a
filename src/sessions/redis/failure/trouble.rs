//! What may be wrong with a Redis, as its errors tell, and what to do about it.

use redis::{ErrorKind, RedisError};

/// What a person can do something about, or has to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Full,
    Replica,
    PrimaryLost,
    TooFewReplicas,
    Loading,
    Busy,
    Disk,
    TooManyClients,
    ForgottenScript,
    OtherType,

    NoPassword,
    WrongPassword,
    Forbidden,
    Protected,
    UnknownCommand,

    ClusterNode,
    NoCluster,
    ClusterIncomplete,
    SlotUnderWay,
    NoSentinel,
    UnknownMaster,

    UntrustedCertificate,
    CertificateOfAnotherHost,
    ExpiredCertificate,
}

impl Trouble {
    pub(super) fn of(error: &RedisError) -> Option<Self> {
        match error.kind() {
            ErrorKind::AuthenticationFailed => Some(Self::WrongPassword),
            ErrorKind::MasterNameNotFoundBySentinel => Some(Self::UnknownMaster),
            _ => error.code().and_then(Self::by_code).or_else(|| Self::by_text(&error.to_string())),
        }
    }

    fn by_code(code: &str) -> Option<Self> {
        Some(match code {
            "OOM" => Self::Full,
            "READONLY" => Self::Replica,
            "MASTERDOWN" => Self::PrimaryLost,
            "NOREPLICAS" => Self::TooFewReplicas,
            "LOADING" => Self::Loading,
            "BUSY" => Self::Busy,
            "MISCONF" => Self::Disk,
            "NOSCRIPT" => Self::ForgottenScript,
            "WRONGTYPE" => Self::OtherType,
            "NOAUTH" => Self::NoPassword,
            "WRONGPASS" => Self::WrongPassword,
            "NOPERM" => Self::Forbidden,
            "DENIED" => Self::Protected,
            "MOVED" | "ASK" => Self::ClusterNode,
            "CLUSTERDOWN" => Self::ClusterIncomplete,
            "TRYAGAIN" => Self::SlotUnderWay,
            _ => return None,
        })
    }

    /// What has no code of its own: plain `ERR`, failures of TLS, and what the library says of a whole cluster.
    fn by_text(text: &str) -> Option<Self> {
        const WORDS: [(&str, Trouble); 15] = [
            ("max number of clients", Trouble::TooManyClients),
            // What a script may not do is no NOPERM, and Redis 7.0 says it otherwise than 7.2 and Valkey.
            ("The user executing the script can't", Trouble::Forbidden),
            ("ACL failure in script", Trouble::Forbidden),
            ("No permissions", Trouble::Forbidden),
            // A command with many arguments is not even looked at before there is a password.
            ("Protocol error: unauthenticated", Trouble::NoPassword),
            ("NOAUTH", Trouble::NoPassword),
            ("WRONGPASS", Trouble::WrongPassword),
            ("authentication failed", Trouble::WrongPassword),
            ("cluster support disabled", Trouble::NoCluster),
            ("unknown command 'SENTINEL'", Trouble::NoSentinel),
            ("unknown command", Trouble::UnknownCommand),
            ("UnknownIssuer", Trouble::UntrustedCertificate),
            // By a CA that has the name of a trusted one.
            ("BadSignature", Trouble::UntrustedCertificate),
            ("not valid for name", Trouble::CertificateOfAnotherHost),
            ("certificate expired", Trouble::ExpiredCertificate),
        ];
        WORDS.iter().find(|(words, _)| text.contains(words)).map(|(_, trouble)| *trouble)
    }

    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Full => "Redis has reached its maxmemory: raise maxmemory, or end sessions sooner by --session-ttl",
            Self::Replica => {
                "this Redis is a replica: name the primary in the URL, or the sentinels (redis+sentinel://…), which know \
                 it after a failover"
            }
            Self::PrimaryLost => "this replica has lost its primary: name the primary in the URL",
            Self::TooFewReplicas => {
                "fewer replicas are in step than min-replicas-to-write asks for: bring them back, or lower the number"
            }
            Self::Loading => "Redis is loading its data from disk, and answers when it has",
            Self::Busy => "a script of somebody else keeps Redis from answering: wait for it, or end it by SCRIPT KILL",
            Self::Disk => {
                "Redis cannot write to its disk and takes no writes until it can: look for the cause in its log, or set \
                 stop-writes-on-bgsave-error no if its snapshots do not matter"
            }
            Self::TooManyClients => {
                "Redis has as many clients as its maxclients allows: raise it, or see who they are by CLIENT LIST"
            }
            Self::ForgottenScript => "Redis forgot a script that was just loaded: somebody runs SCRIPT FLUSH",
            Self::OtherType => "something else is stored under a key of the session",
            Self::NoPassword => "Redis wants a password: write it into the URL, as in redis://user:password@host",
            Self::WrongPassword => {
                "user or password of the URL is wrong; each of : / ? # [ ] @ % in them must be percent-encoded"
            }
            Self::Forbidden => {
                "the user of the URL lacks a permission: docs/redis.md lists what sessions need, ACL LOG tells what was \
                 refused"
            }
            Self::Protected => "Redis in protected mode answers its own machine only: give it a password",
            Self::UnknownCommand => {
                "Redis 7.0 or Valkey 7.2 is needed; if this is a sentinel, write redis+sentinel://host:26379/MASTER"
            }
            Self::ClusterNode => {
                "this Redis is a node of a cluster: begin the URL with redis+cluster:// (or rediss+cluster://)"
            }
            Self::NoCluster => "this Redis is no cluster: begin the URL with redis:// (or rediss://)",
            Self::ClusterIncomplete => "a part of the cluster has no master: look at CLUSTER NODES",
            Self::SlotUnderWay => {
                "the slot of this session is on its way to another node; its turns wait until it has arrived"
            }
            Self::NoSentinel => {
                "this is no sentinel: name the sentinels, whose port is 26379, or begin the URL with redis://"
            }
            Self::UnknownMaster => {
                "the sentinels know no master of the name at the end of the URL: write the one of their `sentinel monitor`"
            }
            Self::UntrustedCertificate => {
                "the certificate of Redis is signed by a CA that is not trusted here: name the CA's file by --redis-ca"
            }
            Self::CertificateOfAnotherHost => "the certificate of Redis is for another host than the URL names",
            Self::ExpiredCertificate => "the certificate of Redis has expired",
        }
    }
}
