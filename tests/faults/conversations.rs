//! Many people talking at once: each waits for an answer before the next turn, which goes to the other server.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::ledger::{Ledger, Outcome, Told};
use crate::stage::{DEADLINE, Stage};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) sessions: usize,
    /// In each session.
    pub(crate) turns: usize,
    /// How long Redis is paused at least.
    pub(crate) pause: Duration,
}

/// A tenth of the turns is a whole number, so that every part of them can be reached.
pub(crate) const SMALL: Size = Size { sessions: 12, turns: 10, pause: Duration::from_millis(500) };
pub(crate) const FULL: Size = Size { sessions: 50, turns: 20, pause: Duration::from_secs(5) };

/// What was answered so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) turns: usize,
    /// By server.
    pub(crate) flagged: [usize; 2],
}

/// Conversations under way.
pub(crate) struct Conversations {
    size: Size,
    /// How many turns of each session may begin: something may always break between turns of every session, and none is
    /// over before it is mended.
    allowed: watch::Sender<usize>,
    progress: Arc<watch::Sender<Progress>>,
    people: Vec<JoinHandle<Vec<Told>>>,
}

impl Conversations {
    pub(crate) fn begin(size: Size, stage: &Stage) -> Self {
        let allowed = watch::Sender::new(0);
        let progress = Arc::new(watch::Sender::new(Progress::default()));
        let client = Client::builder().timeout(DEADLINE).build().unwrap();
        let people = (0..size.sessions).map(|session| {
            let person = Person {
                session,
                client: client.clone(),
                servers: [0, 1].map(|server| stage.servers[server].watch()),
                progress: Arc::clone(&progress),
            };
            tokio::spawn(person.talk(size.turns, allowed.subscribe()))
        });
        Self { size, people: people.collect(), allowed, progress }
    }

    /// Returns when `part` of `of` parts of all turns have been answered; the conversations go on.
    pub(crate) async fn until_part(&self, part: usize, of: usize) {
        self.allowed.send_replace(self.size.turns * (2 * part + 1) / (2 * of));
        let turns = self.size.sessions * self.size.turns * part / of;
        self.until("part of the turns are answered", |progress| progress.turns >= turns).await;
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Progress) -> bool) {
        let mut progress = self.progress.subscribe();
        let waited = timeout(DEADLINE, progress.wait_for(|progress| holds(progress))).await.map(drop);
        assert!(waited.is_ok(), "did not happen in time: {what}: {:?}", self.progress.borrow());
    }

    /// Lets all of them come to their end.
    pub(crate) async fn end(self) -> Ledger {
        self.allowed.send_replace(self.size.turns);
        let mut told = Vec::new();
        for person in self.people {
            told.push(person.await.unwrap());
        }
        Ledger { told }
    }
}

struct Person {
    session: usize,
    client: Client,
    servers: [watch::Receiver<Option<String>>; 2],
    progress: Arc<watch::Sender<Progress>>,
}

impl Person {
    async fn talk(self, turns: usize, mut allowed: watch::Receiver<usize>) -> Vec<Told> {
        let mut told = Vec::new();
        for number in 0..turns {
            if allowed.wait_for(|allowed| number < *allowed).await.is_err() {
                // The test failed elsewhere.
                break;
            }
            let server = (self.session + number) % 2;
            let turn = self.say(server, format!("Session {} says its line {number}.", self.session)).await;
            self.progress.send_modify(|progress| {
                progress.turns += 1;
                progress.flagged[server] += usize::from(turn.outcome == Outcome::Flagged);
            });
            told.push(turn);
        }
        told
    }

    /// Waits for the server if it is down; a request that finds it dying fails, and is not repeated.
    async fn say(&self, server: usize, message: String) -> Told {
        let mut place = self.servers[server].clone();
        let url = place.wait_for(Option::is_some).await.ok().and_then(|url| url.clone()).expect("the stage is open");
        let user_id = session_id(self.session);
        let body = json!({"user_id": user_id, "message": message});
        let answered = async {
            let response = self.client.post(format!("{url}/chat")).json(&body).send().await?;
            Ok::<(StatusCode, Value), reqwest::Error>((response.status(), response.json().await?))
        };
        let Ok((status, answer)) = answered.await else {
            return Told { server, message, turn_id: None, outcome: Outcome::Failed };
        };
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["user_id"], user_id.as_str());
        let outcome = match (answer["session_persisted"].as_bool(), answer["backend"].as_str()) {
            (Some(true), Some("Redis")) => Outcome::Acknowledged,
            (Some(false), Some("Memory")) => Outcome::Flagged,
            flags => panic!("flags that contradict each other: {flags:?}"),
        };
        Told { server, message, turn_id: answer["turn_id"].as_str().map(str::to_owned), outcome }
    }
}

pub(crate) fn session_id(session: usize) -> String {
    format!("person-{session}")
}
