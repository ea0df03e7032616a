//! How well this Redis keeps what it acknowledged, master by master: asking for its settings. What they mean is in
//! [`meaning`].

mod meaning;

use std::collections::HashMap;

use redis::{RedisResult, Value};

use super::RedisStore;
use super::failure;
use crate::sessions::diagnosis::{Diagnosis, Severity};
use crate::sessions::error::Error;
use meaning::Settings;

/// What `INFO` does not tell, or not always.
const ASKED: [&str; 4] = ["appendfsync", "save", "min-replicas-to-write", "min-replicas-max-lag"];

impl RedisStore {
    pub(in crate::sessions) async fn diagnose(&self) -> Result<Vec<Diagnosis>, Error> {
        let infos = self.connection.ask_masters(&redis::cmd("INFO")).await?;
        let mut question = redis::cmd("CONFIG");
        question.arg("GET").arg(&ASKED);
        let mut configurations: HashMap<_, _> = self.connection.ask_masters(&question).await?.into_iter().collect();
        let mut findings = Vec::new();
        for (address, info) in infos {
            let about = |finding: Diagnosis| match &address {
                Some(address) => Diagnosis { text: format!("{address}: {}", finding.text), ..finding },
                None => finding,
            };
            let found = match read::<String>(info) {
                Ok(info) => {
                    let configuration = configurations.remove(&address).map(read::<HashMap<String, String>>);
                    let settings = Settings {
                        info: &info,
                        configuration: configuration.and_then(Result::ok),
                        fails_over: self.connection.fails_over(),
                    };
                    settings.diagnose()
                }
                Err(error) => vec![unreadable(&error)],
            };
            findings.extend(found.into_iter().map(about));
        }
        Ok(findings)
    }
}

fn read<T: redis::FromRedisValue>(answer: RedisResult<Value>) -> Result<T, Error> {
    answer.and_then(|answer| redis::from_redis_value(answer).map_err(Into::into)).map_err(failure::explain)
}

fn unreadable(error: &Error) -> Diagnosis {
    Diagnosis {
        severity: Severity::Advice,
        text: format!(
            "its settings cannot be seen, as INFO is refused ({error}); allow +info and +config|get, or see to it that \
             maxmemory-policy is noeviction and appendonly is yes"
        ),
    }
}
