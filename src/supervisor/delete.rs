//! DeleteTask: an intent that the task's actor keeps until it is confirmed.

use tokio::time::Instant;

use super::{
    TaskError, TaskQuery, Tasks, desk::Deletion, entry::TaskEntry, history::Event, line::line,
    task::TaskMsg,
};
use crate::connector::ConnectorError;

/// How often a task that is just leaving is looked up again.
const LOOKUPS: usize = 3;

/// Where a Delete stands, for its caller.
enum Answer {
    Confirmed,
    Refused(ConnectorError),
    /// The actor left in between: the task must be looked up again.
    Left,
}

impl Tasks {
    /// Deletes a task's job. OK without a call for a task that the backend
    /// reported as ended, and for one that is deleted already; a repeat joins a
    /// delete under way.
    ///
    /// # Errors
    /// An unknown task type, bytes that are no handle, a backend that refuses
    /// for good, or, for the first minute of its workflow's, one that has not
    /// confirmed yet.
    pub async fn delete(&self, query: TaskQuery) -> Result<(), TaskError> {
        for _ in 0..LOOKUPS {
            let entry = self.0.find(&query).await?;
            entry.touch();
            self.0.tell_request(&entry);
            if !self.want_delete(&entry) {
                return Ok(());
            }
            entry.send(TaskMsg::Delete);
            match entry.wait_for(self.delete_limit(&query), answer).await {
                Some(Answer::Confirmed) => return Ok(()),
                Some(Answer::Refused(error)) => return Err(refused(&entry, error)),
                Some(Answer::Left) => {}
                None => return self.still_deleting(&entry),
            }
        }
        Err(TaskError::Stopping)
    }

    /// Puts the intent on the desk: false if there is nothing to delete.
    fn want_delete(&self, entry: &TaskEntry) -> bool {
        let snapshot = entry.snapshot();
        let at = self.0.world.now();
        entry.change(|desk| match &desk.deletion {
            Deletion::Wanted { .. } => true,
            Deletion::Done(_) => false,
            Deletion::None | Deletion::Refused(_) => {
                if snapshot.phase.is_terminal() && !snapshot.decided {
                    return false;
                }
                if desk.sharers > 0 {
                    // Another Create has the job too, under the same meta.
                    desk.sharers -= 1;
                    return false;
                }
                desk.history.record(at, Event::DeleteAsked);
                desk.deletion.want();
                true
            }
        })
    }

    /// The backend has not confirmed in time; the actor goes on.
    fn still_deleting(&self, entry: &TaskEntry) -> Result<(), TaskError> {
        let deletion = entry.desk().deletion.clone();
        let Deletion::Wanted { since, last, .. } = deletion else {
            return Ok(());
        };
        let cause = last.map_or_else(
            || "the backend has not answered".to_owned(),
            |error| error.message().to_owned(),
        );
        if self.0.rounds.may_fail(entry, since) {
            return Err(TaskError::StillDeleting {
                task_type: entry.kind.category.name.clone(),
                cause,
            });
        }
        line!(
            warn,
            entry,
            cause,
            "the job is not deleted yet; the caller is told OK, the delete goes on"
        );
        Ok(())
    }

    fn delete_limit(&self, query: &TaskQuery) -> Instant {
        let limit = Instant::now() + self.0.settings.delete_wait;
        query.deadline.map_or(limit, |deadline| limit.min(deadline))
    }
}

fn answer(entry: &TaskEntry) -> Option<Answer> {
    let desk = entry.desk();
    match &desk.deletion {
        Deletion::Done(_) => Some(Answer::Confirmed),
        Deletion::Refused(error) => Some(Answer::Refused(error.clone())),
        _ if desk.left => Some(Answer::Left),
        _ => None,
    }
}

fn refused(entry: &TaskEntry, error: ConnectorError) -> TaskError {
    TaskError::Connector { operation: "delete", task_type: entry.kind.category.name.clone(), error }
}
