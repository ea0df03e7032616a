//! What the settings of a Redis mean for turns that it acknowledged.

use std::collections::HashMap;

use crate::sessions::diagnosis::{Diagnosis, Severity};

const OLDEST_VERSION: u32 = 7;

/// Of one master.
pub(super) struct Settings<'info> {
    /// The answer to `INFO`.
    pub(super) info: &'info str,
    /// By name, what `CONFIG GET` says; managed services often refuse it.
    pub(super) configuration: Option<HashMap<String, String>>,
    /// Whether sentinels or the cluster put a replica in its place when it dies.
    pub(super) fails_over: bool,
}

impl Settings<'_> {
    pub(super) fn diagnose(&self) -> Vec<Diagnosis> {
        let findings = [self.server(), self.persistence(), self.replication(), self.eviction()];
        findings.into_iter().map(|(severity, text)| Diagnosis { severity, text }).collect()
    }

    fn server(&self) -> (Severity, String) {
        let version = self.told("redis_version").unwrap_or("of unknown version");
        let name = match self.told("valkey_version") {
            Some(valkey) => format!("Valkey {valkey}"),
            None => format!("Redis {version}"),
        };
        if self.told("role").is_some_and(|role| role != "master") {
            return (Severity::Objection, format!("{name} is a replica and takes no writes: name the primary"));
        }
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if major.is_some_and(|major| major < OLDEST_VERSION) {
            return (
                Severity::Advice,
                format!("{name} is older than what sessions are tested with, {OLDEST_VERSION}.0"),
            );
        }
        (Severity::Fine, name)
    }

    fn persistence(&self) -> (Severity, String) {
        if self.told("aof_enabled") != Some("1") {
            return match self.configured("save") {
                Some("") => (
                    Severity::Objection,
                    "appendonly no, and no snapshots: nothing is kept on disk, and a restart of Redis loses every \
                     session; set appendonly yes"
                        .to_owned(),
                ),
                _ => (
                    Severity::Advice,
                    "appendonly no: a crash loses the turns since the last snapshot, although they were acknowledged; \
                     set appendonly yes"
                        .to_owned(),
                ),
            };
        }
        if self.told("aof_last_write_status").is_some_and(|status| status != "ok") {
            return (
                Severity::Objection,
                "the append-only file cannot be written: look at Redis' log and disk".to_owned(),
            );
        }
        match self.configured("appendfsync") {
            Some("always") => (
                Severity::Fine,
                "appendonly yes, appendfsync always: every acknowledged turn is on disk".to_owned(),
            ),
            Some("everysec") => (
                Severity::Fine,
                "appendonly yes, appendfsync everysec: a crash of Redis loses no acknowledged turn, one of its machine \
                 the last second or two (appendfsync always: none)"
                    .to_owned(),
            ),
            Some(other) => (
                Severity::Advice,
                format!(
                    "appendonly yes, appendfsync {other}: a crash of the machine may lose half a minute of acknowledged \
                     turns; set appendfsync everysec, or always"
                ),
            ),
            None => (
                Severity::Advice,
                "appendonly yes; appendfsync cannot be seen, as CONFIG GET is refused: with everysec a crash of the \
                 machine loses the last second or two, with always nothing, with no more"
                    .to_owned(),
            ),
        }
    }

    /// `INFO` has the line of `min_slaves_good_slaves` only where `min-replicas-to-write` is set.
    fn replication(&self) -> (Severity, String) {
        let replicas: u32 = self.number("connected_slaves").unwrap_or(0);
        let good = self.number::<u32>("min_slaves_good_slaves");
        let wanted = self.configured("min-replicas-to-write").and_then(|wanted| wanted.parse::<u32>().ok());
        match (wanted.or(good.map(|_| 1)).unwrap_or(0), good) {
            (0, _) if replicas == 0 && self.fails_over => (
                Severity::Advice,
                "no replica is connected: when this master dies nothing takes its place, and turns wait for its return"
                    .to_owned(),
            ),
            (0, _) if replicas == 0 => {
                (Severity::Fine, "no replicas: turns are as safe as the disk of this Redis".to_owned())
            }
            (0, _) => (
                Severity::Advice,
                format!(
                    "{replicas} replica(s), min-replicas-to-write 0: they follow behind, so a failover may lose \
                     acknowledged turns, and a master that is cut off goes on acknowledging turns that will be thrown \
                     away; set min-replicas-to-write 1"
                ),
            ),
            (wanted, Some(good)) if good < wanted => (
                Severity::Objection,
                format!(
                    "min-replicas-to-write {wanted}, but {good} replica(s) are in step: Redis takes no writes, and \
                     turns wait"
                ),
            ),
            (wanted, _) => {
                let lag = self.configured("min-replicas-max-lag").unwrap_or("some");
                let text = format!(
                    "{replicas} replica(s), min-replicas-to-write {wanted}: a master that is cut off stops \
                     acknowledging after {lag} s; a failover may lose the turns that no replica had yet"
                );
                (Severity::Fine, text)
            }
        }
    }

    fn eviction(&self) -> (Severity, String) {
        let limit: u64 = self.number("maxmemory").unwrap_or(0);
        match self.told("maxmemory_policy") {
            Some("noeviction") if limit == 0 => (
                Severity::Fine,
                "maxmemory-policy noeviction: no session is thrown away; maxmemory is not set, so all memory of the \
                 machine may be used"
                    .to_owned(),
            ),
            Some("noeviction") => {
                let used: u64 = self.number("used_memory").unwrap_or(0);
                let percent = used.saturating_mul(100) / limit;
                let severity = if percent < 90 { Severity::Fine } else { Severity::Advice };
                let text = format!(
                    "maxmemory-policy noeviction: no session is thrown away; {percent} % of maxmemory are used, and \
                     when all are, turns are refused and wait"
                );
                (severity, text)
            }
            Some(policy) => (
                Severity::Objection,
                format!(
                    "maxmemory-policy {policy}: under memory pressure Redis removes parts of live sessions; set it to \
                     noeviction"
                ),
            ),
            None => (
                Severity::Advice,
                "maxmemory-policy cannot be seen; any but noeviction removes parts of live sessions under memory pressure"
                    .to_owned(),
            ),
        }
    }

    fn told(&self, field: &str) -> Option<&str> {
        let mut fields = self.info.lines().filter_map(|line| line.trim().split_once(':'));
        fields.find(|(name, _)| *name == field).map(|(_, value)| value)
    }

    fn number<T: std::str::FromStr>(&self, field: &str) -> Option<T> {
        self.told(field)?.parse().ok()
    }

    fn configured(&self, name: &str) -> Option<&str> {
        self.configuration.as_ref()?.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: &str = "redis_version:7.0.15\r\nrole:master\r\nconnected_slaves:0\r\nused_memory:10\r\nmaxmemory:100\r\n\
                        maxmemory_policy:noeviction\r\naof_enabled:1\r\naof_last_write_status:ok\r\n";

    /// What is said of a Redis as in [`WELL`], but for one line.
    fn said(
        line: &str,
        replaced_by: &str,
        configuration: &[(&str, &str)],
        fails_over: bool,
    ) -> Vec<(Severity, String)> {
        assert!(WELL.contains(line), "{line}");
        let info = WELL.replace(line, replaced_by);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let configuration = Some(configuration.iter().map(owned).collect());
        let findings = Settings { info: &info, configuration, fails_over }.diagnose();
        findings.into_iter().map(|finding| (finding.severity, finding.text)).collect()
    }

    fn objections(line: &str, replaced_by: &str, configuration: &[(&str, &str)]) -> Vec<String> {
        let said = said(line, replaced_by, configuration, false);
        said.into_iter().filter(|(severity, _)| *severity == Severity::Objection).map(|(_, text)| text).collect()
    }

    #[test]
    fn a_good_installation_is_fine_and_told_what_it_means() {
        let said = said("role:master", "role:master", &[("appendfsync", "always")], false);
        assert!(said.iter().all(|(severity, _)| *severity == Severity::Fine), "{said:?}");
        let all = said.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
        for word in ["Redis 7.0.15", "appendfsync always", "replica", "noeviction", "10 %"] {
            assert!(all.contains(word), "{word}: {all}");
        }
    }

    #[test]
    fn settings_that_lose_acknowledged_turns_are_objected_to() {
        let no_disk = objections("aof_enabled:1", "aof_enabled:0", &[("save", "")]);
        assert!(no_disk[0].contains("appendonly yes"), "{no_disk:?}");
        let evicting = objections("noeviction", "allkeys-lru", &[]);
        assert!(evicting[0].contains("allkeys-lru") && evicting[0].contains("noeviction"), "{evicting:?}");
        let replica = objections("role:master", "role:slave", &[]);
        assert!(replica[0].contains("primary"), "{replica:?}");
        let full_disk = objections("write_status:ok", "write_status:err", &[]);
        assert!(full_disk[0].contains("append-only"), "{full_disk:?}");
        let alone = "connected_slaves:0\r\nmin_slaves_good_slaves:0";
        let alone = objections("connected_slaves:0", alone, &[("min-replicas-to-write", "1")]);
        assert!(alone[0].contains("takes no writes"), "{alone:?}");
    }

    #[test]
    fn what_could_be_better_is_advised() {
        let advised = |line, replaced_by, configuration: &[(&str, &str)], fails_over, word: &str| {
            let said = said(line, replaced_by, configuration, fails_over);
            assert!(said.iter().all(|(severity, _)| *severity != Severity::Objection), "{said:?}");
            let found = said.iter().any(|(severity, text)| *severity == Severity::Advice && text.contains(word));
            assert!(found, "{word}: {said:?}");
        };
        let always = [("appendfsync", "always")];
        advised("aof_enabled:1", "aof_enabled:0", &[("save", "3600 1")], false, "appendonly yes");
        advised("role:master", "role:master", &[("appendfsync", "no")], false, "everysec");
        advised("role:master", "role:master", &[], false, "CONFIG GET is refused");
        advised("slaves:0", "slaves:1", &always, true, "min-replicas-to-write 1");
        advised("slaves:0", "slaves:0", &always, true, "nothing takes its place");
        advised("used_memory:10", "used_memory:95", &always, false, "95 %");
        advised("7.0.15", "6.2.0", &always, false, "older");
    }

    #[test]
    fn valkey_is_called_by_its_name() {
        let said = said("role:master", "valkey_version:8.1.1\r\nrole:master", &[("appendfsync", "always")], false);
        assert_eq!(said[0], (Severity::Fine, "Valkey 8.1.1".to_owned()));
    }
}
