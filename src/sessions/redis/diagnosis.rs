//! Reading from `INFO` how well this Redis keeps what it acknowledged. `INFO` and not `CONFIG GET`, which managed
//! services refuse.

use std::collections::HashMap;

use super::RedisStore;
use crate::sessions::diagnosis::{Diagnosis, Severity};
use crate::sessions::error::Error;

impl RedisStore {
    pub(in crate::sessions) async fn diagnose(&self) -> Result<Vec<Diagnosis>, Error> {
        let info: String = self.connection.query(&redis::cmd("INFO")).await?;
        Ok(diagnose(&info))
    }
}

fn diagnose(info: &str) -> Vec<Diagnosis> {
    let fields: HashMap<&str, &str> = info.lines().filter_map(|line| line.trim().split_once(':')).collect();
    let mut findings = Vec::new();
    let mut find = |severity, text: String| findings.push(Diagnosis { severity, text });
    if let Some(policy) = fields.get("maxmemory_policy").filter(|policy| **policy != "noeviction") {
        find(
            Severity::Objection,
            format!(
                "Redis has maxmemory-policy {policy}: under memory pressure it removes parts of live sessions; \
                 set it to noeviction"
            ),
        );
    }
    if fields.get("aof_enabled") == Some(&"0") {
        find(
            Severity::Advice,
            "Redis has no append-only file: a crash loses the turns since its last snapshot, although they were \
             acknowledged; set appendonly yes"
                .to_owned(),
        );
    }
    if fields.get("role").is_some_and(|role| *role != "master") {
        find(Severity::Objection, "this Redis is a replica and takes no writes; name the primary".to_owned());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_lose_acknowledged_turns_are_found() {
        let info = "# Memory\r\nmaxmemory_policy:allkeys-lru\r\n# Persistence\r\naof_enabled:0\r\nrole:master\r\n";
        let severities: Vec<Severity> = diagnose(info).iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Objection, Severity::Advice]);
        assert_eq!(diagnose("maxmemory_policy:noeviction\r\naof_enabled:1\r\nrole:master\r\n"), []);
        assert_eq!(diagnose("role:slave\r\n").len(), 1);
    }
}
