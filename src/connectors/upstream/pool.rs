//! The members of an upstream, least busy first.

use std::sync::Arc;

use tonic::transport::Channel;

use super::member::{InFlight, Member, State};

/// Everything that answers for one upstream.
#[derive(Debug)]
pub(super) struct Pool(Vec<Arc<Member>>);

/// A member that was picked for a call.
#[derive(Debug)]
pub(super) struct Picked {
    pub(super) channel: Channel,
    /// Kept for as long as the call takes.
    pub(super) in_flight: InFlight,
}

impl Pool {
    pub(super) fn new(members: Vec<Arc<Member>>) -> Self {
        Self(members)
    }

    /// The least busy member that is up; one that is silent if none is. An
    /// error is why there is none at all.
    pub(super) fn pick(&self) -> Result<Picked, String> {
        let mut best: Option<(bool, usize, &Arc<Member>, Channel)> = None;
        let mut cause = None;
        for member in &self.0 {
            let (silent, channel) = match &*member.state() {
                State::Up(channel) => (false, channel.clone()),
                State::Silent(channel) => (true, channel.clone()),
                State::Down(why) => {
                    cause.get_or_insert_with(|| why.clone());
                    continue;
                }
            };
            let rank = (silent, member.in_flight());
            if best.as_ref().is_none_or(|(silent, busy, ..)| rank < (*silent, *busy)) {
                best = Some((rank.0, rank.1, member, channel));
            }
        }
        match best {
            Some((_, _, member, channel)) => Ok(Picked { channel, in_flight: member.begin() }),
            None => Err(cause.unwrap_or_else(|| "it has no member".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::transport::Endpoint;

    use super::*;

    fn channel() -> Channel {
        Endpoint::from_static("http://127.0.0.1:1").connect_lazy()
    }

    fn pool(states: Vec<State>) -> (Pool, Vec<Arc<Member>>) {
        let members: Vec<Arc<Member>> = states
            .into_iter()
            .map(|state| {
                let member = Member::new();
                member.set(state);
                Arc::new(member)
            })
            .collect();
        (Pool::new(members.clone()), members)
    }

    #[tokio::test]
    async fn calls_are_spread_over_those_that_are_up() {
        let (pool, members) = pool(vec![State::Up(channel()), State::Up(channel())]);
        let calls: Vec<Picked> = (0..6).map(|_| pool.pick().expect("a member")).collect();
        assert_eq!(members.iter().map(|member| member.in_flight()).collect::<Vec<_>>(), [3, 3]);
        drop(calls);
        assert_eq!(members[0].in_flight() + members[1].in_flight(), 0);
    }

    #[tokio::test]
    async fn a_silent_member_is_called_only_if_there_is_no_other() {
        let (pool, members) = pool(vec![State::Silent(channel()), State::Up(channel())]);
        let _calls = [pool.pick().expect("a member"), pool.pick().expect("a member")];
        assert_eq!(members[0].in_flight(), 0);
        members[1].set(State::Down("it exited".to_owned()));
        let _call = pool.pick().expect("the silent one");
        assert_eq!(members[0].in_flight(), 1);
    }

    #[tokio::test]
    async fn where_nobody_is_there_the_reason_is_told() {
        let (pool, _) = pool(vec![State::Down("it exited with status 1".to_owned())]);
        assert_eq!(pool.pick().expect_err("nobody"), "it exited with status 1");
    }
}
