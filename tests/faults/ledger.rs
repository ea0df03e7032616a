//! What people were told of their turns, held against what is there at the end.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;

use crate::conversations::session_id;
use crate::found::{self, FoundTurn};
use crate::stage::Stage;

/// What became of a turn, as the one who took it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is in Redis.
    Acknowledged,
    /// It is in memory, and will be in Redis.
    Flagged,
    /// There was no answer, because the server died: it may be there or not.
    Failed,
}

#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) server: usize,
    /// No two are the same.
    pub(crate) message: String,
    pub(crate) turn_id: Option<String>,
    pub(crate) outcome: Outcome,
}

/// By session, in the order in which it was told.
pub(crate) struct Ledger {
    pub(crate) told: Vec<Vec<Told>>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acknowledged: usize,
    pub(crate) flagged: usize,
    /// Flagged, and there at the end.
    pub(crate) replayed: usize,
    pub(crate) failed: usize,
    /// There at the end although nobody was told.
    pub(crate) failed_but_found: usize,
    pub(crate) found: usize,
}

impl Ledger {
    /// Once every server has replayed what waited. Fails with all that is wrong; prints the counts.
    pub(crate) async fn settle(&self, fault: &str, stage: &Stage) -> Counts {
        found::everything_is_replayed(stage).await;
        let mut counts = Counts::default();
        let mut wrong = Vec::new();
        for (session, told) in self.told.iter().enumerate() {
            let mut complain = |what: String| wrong.push(format!("{}: {what}", session_id(session)));
            let found = match found::in_redis(&stage.redis, session) {
                Ok(found) => found,
                Err(problem) => {
                    complain(problem);
                    continue;
                }
            };
            compare(told, &found, &mut counts).into_iter().for_each(&mut complain);
            for server in &stage.servers {
                match found::shown_by(server, session).await {
                    Ok(shown) if shown == found => {}
                    Ok(shown) => complain(format!("a server shows {} turns of {}", shown.len(), found.len())),
                    Err(problem) => complain(format!("a server shows it as {problem}")),
                }
            }
        }
        for server in &stage.servers {
            let lost = server.metric("footnote_session_turns_lost_total").await;
            if lost > 0.0 {
                wrong.push(format!("a server gave up {lost} turns"));
            }
        }
        let sessions = found::sessions_in_redis(&stage.redis);
        if sessions > self.told.len() {
            wrong.push(format!("there are {sessions} sessions"));
        }
        print(&format!("{fault}: {counts}"));
        assert!(wrong.is_empty(), "{fault}: {counts}\n{}", wrong.join("\n"));
        counts
    }
}

/// What is wrong with what was found of one session.
fn compare(told: &[Told], found: &[FoundTurn], counts: &mut Counts) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut places: HashMap<&str, Vec<(usize, &FoundTurn)>> = HashMap::new();
    for (place, turn) in found.iter().enumerate() {
        places.entry(&turn.question).or_default().push((place, turn));
    }
    counts.found += found.len();
    // Where the last turn of each server was found.
    let mut last_places = [None, None];
    for turn in told {
        let there = places.remove(turn.message.as_str()).unwrap_or_default();
        match (turn.outcome, there.len()) {
            (Outcome::Acknowledged, 1) => counts.acknowledged += 1,
            (Outcome::Flagged, 1) => {
                counts.flagged += 1;
                counts.replayed += 1;
            }
            (Outcome::Failed, 0) => counts.failed += 1,
            (Outcome::Failed, 1) => {
                counts.failed += 1;
                counts.failed_but_found += 1;
            }
            (outcome, times) => wrong.push(format!("{:?} was {outcome:?} and is there {times} times", turn.message)),
        }
        for (place, found) in there {
            if turn.turn_id.as_ref().is_some_and(|turn_id| *turn_id != found.turn_id) {
                wrong.push(format!("{:?} has another turn id", turn.message));
            }
            if last_places[turn.server].is_some_and(|last| place < last) {
                wrong.push(format!("{:?} comes before an earlier turn of the same server", turn.message));
            }
            last_places[turn.server] = Some(place);
        }
    }
    wrong.extend(places.keys().map(|message| format!("{message:?} was never said here")));
    wrong
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, flagged, replayed, failed, failed_but_found, found } = self;
        write!(
            formatter,
            "{acknowledged} acknowledged, {flagged} flagged ({replayed} replayed), {failed} failed ({failed_but_found} \
             of them found), {found} found"
        )
    }
}

/// Past the capture of the test harness: the counts are to be seen.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(server: usize, message: &str, outcome: Outcome) -> Told {
        Told { server, message: message.to_owned(), turn_id: None, outcome }
    }

    fn found(messages: &[&str]) -> Vec<FoundTurn> {
        messages.iter().map(|&question| FoundTurn { question: question.to_owned(), turn_id: String::new() }).collect()
    }

    /// The judge itself: a suite that finds no fault must be able to.
    #[test]
    fn every_kind_of_loss_is_noticed() {
        let told = [
            told(0, "a", Outcome::Acknowledged),
            told(1, "b", Outcome::Flagged),
            told(0, "c", Outcome::Failed),
            told(0, "d", Outcome::Acknowledged),
        ];
        let complaints = |messages: &[&str]| compare(&told, &found(messages), &mut Counts::default()).len();
        assert_eq!(complaints(&["a", "b", "d"]), 0);
        assert_eq!(complaints(&["b", "a", "c", "d"]), 0, "each server's own order");
        assert_eq!(complaints(&["a", "d"]), 1, "flagged and lost");
        assert_eq!(complaints(&["b", "d"]), 1, "acknowledged and lost");
        assert_eq!(complaints(&["a", "b", "a", "d"]), 1, "acknowledged and twice");
        assert_eq!(complaints(&["a", "b", "c", "c", "d"]), 1, "failed and twice");
        assert_eq!(complaints(&["d", "b", "a"]), 1, "out of order");
        assert_eq!(complaints(&["a", "b", "d", "x"]), 1, "of another session");
    }
}
