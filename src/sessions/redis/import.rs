//! Putting a whole session into Redis: its messages go into a list of their own, piece by piece, since one command with
//! all of them would keep Redis from everybody else; then a script makes the session of it at once.

use std::time::Duration;

use super::RedisStore;
use super::scripts::{Reply, status};
use crate::sessions::database_file::to_json;
use crate::sessions::error::Error;
use crate::sessions::key::SessionKey;
use crate::sessions::transfer::{ExportedSession, Imported};

const PIECE_BYTES: usize = 1 << 20;
/// What is left of an import that was cut off goes by itself.
const LIST_LIFE: Duration = Duration::from_secs(600);

impl RedisStore {
    pub(in crate::sessions) async fn import(
        &self,
        key: &SessionKey,
        session: ExportedSession,
        replace: bool,
    ) -> Result<Imported, Error> {
        let (record, messages) = session.into_record(self.max_messages);
        // Of this import alone: another one of the same session may be under way.
        let list = format!("{key}:import:{}", record.epoch);
        let mut piece = Vec::new();
        let mut bytes = 0;
        for (number, message) in messages.iter().enumerate() {
            let json = to_json(message)?;
            bytes += json.len();
            piece.push(json);
            if bytes >= PIECE_BYTES || number + 1 == messages.len() {
                let script = self.scripts.import_piece(&list, &std::mem::take(&mut piece), LIST_LIFE);
                self.connection.run::<Reply>(&list, &script).await?;
                bytes = 0;
            }
        }
        let reply: Reply =
            self.connection.run(key, &self.scripts.import(key, &list, &record, replace, self.ttl)).await?;
        match status(&reply) {
            "added" => {
                self.listing.note_activity(key, record.last_activity);
                Ok(Imported::Added)
            }
            "already_there" => Ok(Imported::AlreadyThere),
            // A piece was sent again because the connection broke, or all of them went before the last had come.
            _ => Err(Error::Failed("its messages did not arrive as they were sent; import it again".into())),
        }
    }
}
