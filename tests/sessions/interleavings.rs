//! Whatever happens to two sessions in whatever order, on two servers of one Redis or on one server with a store of its
//! own, agrees with a model that is too simple to be wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use footnote::sessions::{History, Loaded, SessionKey, SessionOptions, Sessions};
use proptest::prelude::{Just, Strategy, TestCaseError, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use proptest::{collection, prop_assert_eq};
use serde_json::json;

use crate::place::{Place, contents, eventually, key, turn};

/// Where the store cannot be made to forget, a session expires by waiting for it.
const SHORT_TTL: Duration = Duration::from_millis(400);

#[test]
fn two_servers_on_redis_agree_with_the_model() {
    agrees_with_the_model(150, 2, Place::redis);
}

#[test]
fn the_embedded_store_agrees_with_the_model() {
    agrees_with_the_model(15, 1, Place::embedded);
}

#[test]
fn the_memory_store_agrees_with_the_model() {
    agrees_with_the_model(15, 1, || Place::Memory);
}

#[derive(Debug, Clone)]
enum Step {
    /// A turn begins, on a server, in a session, and is under way until it ends.
    Begin(usize, usize),
    /// One of the turns under way ends.
    End(usize),
    /// A whole turn.
    Say(usize, usize),
    Read(usize, usize),
    Patch(usize, usize),
    Delete(usize, usize),
    Expire(usize),
    List,
}

/// Small, so that everything is trimmed, dropped from RAM and read again all the time.
#[derive(Debug, Clone, Copy)]
struct Limits {
    max_messages: usize,
    recent_messages: usize,
    ram_bytes: u64,
}

fn steps(servers: usize) -> impl Strategy<Value = Vec<Step>> {
    let place = || (0..servers, 0..2_usize);
    let step = prop_oneof![
        4 => place().prop_map(|(server, session)| Step::Begin(server, session)),
        4 => (0..8_usize).prop_map(Step::End),
        8 => place().prop_map(|(server, session)| Step::Say(server, session)),
        4 => place().prop_map(|(server, session)| Step::Read(server, session)),
        1 => place().prop_map(|(server, session)| Step::Patch(server, session)),
        2 => place().prop_map(|(server, session)| Step::Delete(server, session)),
        1 => (0..2_usize).prop_map(Step::Expire),
        1 => Just(Step::List),
    ];
    collection::vec(step, 1..60)
}

fn limits() -> impl Strategy<Value = Limits> {
    let ram_bytes = prop_oneof![Just(0), Just(4_000), Just(1 << 20)];
    (2..10_usize, 1..12_usize, ram_bytes).prop_map(|(max_messages, recent_messages, ram_bytes)| Limits {
        max_messages,
        recent_messages,
        ram_bytes,
    })
}

fn agrees_with_the_model(cases: u32, servers: usize, place: impl Fn() -> Place) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shared_place = place();
    let limited =
        Config { max_shrink_iters: 5_000, max_shrink_time: 60_000, failure_persistence: None, ..Config::default() };
    let config = Config { cases, ..limited };
    let outcome = TestRunner::new(config).run(&(limits(), steps(servers)), |(limits, steps)| {
        runtime.block_on(async {
            // Redis holds the sessions of all cases; an embedded store is made for each.
            let own_place = (!matches!(shared_place, Place::Redis(_))).then(&place);
            let mut play = Play::begin(own_place.as_ref().unwrap_or(&shared_place), servers, limits).await;
            for step in steps {
                play.take(step).await?;
            }
            play.end().await
        })
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// What a session must look like.
#[derive(Debug, Default)]
struct Model {
    /// Ever said, oldest first; empty if there is no session.
    questions: Vec<String>,
    title: Option<usize>,
    deletions: usize,
}

impl Model {
    fn length(&self) -> u64 {
        2 * self.questions.len() as u64
    }

    /// The newest `limit` messages, of those that were not trimmed.
    fn newest(&self, limits: Limits, limit: usize) -> Vec<String> {
        let kept = &self.questions[self.questions.len().saturating_sub(limits.max_messages / 2)..];
        let messages: Vec<String> =
            kept.iter().flat_map(|question| [question.clone(), format!("{question}!")]).collect();
        messages[messages.len().saturating_sub(limit)..].to_vec()
    }

    fn end_of_life(&mut self) {
        self.questions.clear();
        self.title = None;
    }
}

struct UnderWay {
    server: usize,
    session: usize,
    question: String,
    loaded: Loaded,
    deletions: usize,
}

struct Play<'place> {
    place: &'place Place,
    servers: Vec<Sessions>,
    keys: [SessionKey; 2],
    models: [Model; 2],
    /// When the last step that used the session began: it lives on from then at the earliest.
    last_use: [Instant; 2],
    step_began: Instant,
    under_way: Vec<UnderWay>,
    limits: Limits,
    steps: usize,
}

impl<'place> Play<'place> {
    async fn begin(place: &'place Place, servers: usize, limits: Limits) -> Self {
        static CASES: AtomicU64 = AtomicU64::new(0);
        let case = CASES.fetch_add(1, Ordering::Relaxed);
        let keys = ["a", "b"].map(|name| key(&format!("case {case} {name}")));
        let set = |options: &mut SessionOptions| {
            (options.max_messages, options.recent_messages) = (limits.max_messages, limits.recent_messages);
            match place {
                // All that it has: it must not be too little.
                Place::Memory => options.ttl = Some(SHORT_TTL),
                Place::Embedded(_) => (options.ttl, options.ram_bytes) = (Some(SHORT_TTL), limits.ram_bytes),
                Place::Redis(_) | Place::RestrictedRedis(_) | Place::RedisCluster(_) | Place::RedisSentinel(_) => {
                    options.ram_bytes = limits.ram_bytes;
                }
            }
        };
        let mut opened = Vec::new();
        for _ in 0..servers {
            opened.push(place.open_with(set).await);
        }
        let now = Instant::now();
        let (models, last_use, under_way) = (Default::default(), [now; 2], Vec::new());
        Self { place, servers: opened, keys, models, last_use, step_began: now, under_way, limits, steps: 0 }
    }

    async fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        self.steps += 1;
        self.step_began = Instant::now();
        match step {
            Step::Begin(server, session) => {
                let under_way = self.load(server, session).await?;
                self.under_way.push(under_way);
                Ok(())
            }
            Step::End(_) if self.under_way.is_empty() => Ok(()),
            Step::End(which) => {
                let ended = self.under_way.swap_remove(which % self.under_way.len());
                self.append(ended).await
            }
            Step::Say(server, session) => {
                let turn = self.load(server, session).await?;
                self.append(turn).await
            }
            Step::Read(server, session) => self.read(server, session).await,
            Step::Patch(server, session) => self.patch(server, session).await,
            Step::Delete(server, session) => self.delete(server, session).await,
            Step::Expire(session) => self.expire(session).await,
            Step::List => self.list().await,
        }
    }

    /// Everything is as it should be, on every server.
    async fn end(mut self) -> Result<(), TestCaseError> {
        for session in [0, 1] {
            for server in 0..self.servers.len() {
                self.step_began = Instant::now();
                self.load(server, session).await?;
                self.read(server, session).await?;
            }
        }
        for server in self.servers {
            server.shutdown().await;
        }
        Ok(())
    }

    async fn load(&mut self, server: usize, session: usize) -> Result<UnderWay, TestCaseError> {
        let loaded = self.servers[server].load(&self.keys[session]).await;
        self.used(session)?;
        let model = &self.models[session];
        prop_assert_eq!((loaded.length, loaded.history), (model.length(), History::Known));
        prop_assert_eq!(contents(&loaded.messages), model.newest(self.limits, self.limits.recent_messages));
        let question = format!("{} {}", self.keys[session].id(), self.steps);
        Ok(UnderWay { server, session, question, loaded, deletions: model.deletions })
    }

    /// Saved if, and only if, the session was not deleted since the turn began.
    async fn append(&mut self, turn_under_way: UnderWay) -> Result<(), TestCaseError> {
        let UnderWay { server, session, question, loaded, deletions } = turn_under_way;
        let saved = self.servers[server].append(&self.keys[session], loaded.seen, turn(&question)).await;
        self.used(session)?;
        let model = &mut self.models[session];
        if model.deletions > deletions {
            prop_assert_eq!((saved.persisted, saved.conversation_length), (false, 0));
            return Ok(());
        }
        model.questions.push(question);
        prop_assert_eq!((saved.persisted, saved.conversation_length), (self.place.is_durable(), model.length()));
        Ok(())
    }

    async fn read(&mut self, server: usize, session: usize) -> Result<(), TestCaseError> {
        let read = self.servers[server].read(&self.keys[session]).await.map_err(fail)?;
        self.used(session)?;
        let model = &self.models[session];
        prop_assert_eq!(read.is_some(), model.length() > 0);
        if let Some(read) = read {
            prop_assert_eq!(read.length, model.length());
            prop_assert_eq!(contents(&read.messages), model.newest(self.limits, usize::MAX));
            prop_assert_eq!(read.metadata.get("title").cloned(), model.title.map(|title| json!(title)));
        }
        Ok(())
    }

    async fn patch(&mut self, server: usize, session: usize) -> Result<(), TestCaseError> {
        let patch = json!({"title": self.steps});
        let patched = self.servers[server].patch_metadata(&self.keys[session], patch).await.map_err(fail)?;
        self.used(session)?;
        let model = &mut self.models[session];
        prop_assert_eq!(patched.is_some(), model.length() > 0);
        model.title = patched.map(|_| self.steps);
        Ok(())
    }

    async fn delete(&mut self, server: usize, session: usize) -> Result<(), TestCaseError> {
        let deleted = self.servers[server].delete(&self.keys[session]).await.map_err(fail)?;
        self.used(session)?;
        let model = &mut self.models[session];
        prop_assert_eq!(deleted, model.length() > 0);
        model.deletions += usize::from(deleted);
        model.end_of_life();
        Ok(())
    }

    async fn expire(&mut self, session: usize) -> Result<(), TestCaseError> {
        if let Place::Redis(server) = self.place {
            let record = self.keys[session].to_string();
            server.command(&["DEL", &record, &format!("{record}:messages"), &format!("{record}:turns")]);
            self.models[session].end_of_life();
            return Ok(());
        }
        // Both were last used before now.
        eventually("the sessions are over", async || {
            self.servers[0].list("default", None, 1).await.unwrap().sessions.is_empty()
        })
        .await;
        self.models.iter_mut().for_each(Model::end_of_life);
        self.last_use = [Instant::now(); 2];
        Ok(())
    }

    async fn list(&mut self) -> Result<(), TestCaseError> {
        let mut page = None;
        // A server lists what another one has told of its turns, which listing makes it do.
        for server in &self.servers {
            page = Some(server.list("default", None, usize::MAX - 1).await.map_err(fail)?);
        }
        for session in [0, 1] {
            self.not_by_waiting(session)?;
            let listed = page.iter().flat_map(|page| &page.sessions);
            let mut of_session = listed.filter(|listed| listed.session_id == self.keys[session].id());
            let length = of_session.next().map_or(0, |listed| listed.conversation_length);
            prop_assert_eq!(length, self.models[session].length());
        }
        Ok(())
    }

    fn used(&mut self, session: usize) -> Result<(), TestCaseError> {
        self.not_by_waiting(session)?;
        self.last_use[session] = self.step_began;
        Ok(())
    }

    /// On a busy machine a session may expire while nobody meant it to, which is no step of the play. From half its life
    /// on: the embedded store prolongs it some time after the use, or not at all if that would gain little.
    fn not_by_waiting(&self, session: usize) -> Result<(), TestCaseError> {
        let by_waiting = !matches!(self.place, Place::Redis(_));
        if by_waiting && self.last_use[session].elapsed() >= SHORT_TTL / 2 {
            return Err(TestCaseError::reject("the machine is too busy"));
        }
        Ok(())
    }
}

fn fail(error: footnote::sessions::Error) -> TestCaseError {
    TestCaseError::fail(format!("{error:?}"))
}
