//! The simulated network under the real services.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use flightdeck::{server::Incoming, supervisor::Clock};
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;
use turmoil::net::{
    TcpListener, TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

use crate::model::moment::{Moment, time_of_day};

/// The host that the services run on.
pub const SERVICE: &str = "flightdeck";

/// The host that asks them.
pub const PROPELLER: &str = "propeller";

const PORT: u16 = 8000;

/// The port of the services.
pub struct Port(TcpListener);

impl Port {
    pub async fn bind() -> io::Result<Self> {
        TcpListener::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), PORT)).await.map(Self)
    }
}

impl Incoming for Port {
    type Reader = OwnedReadHalf;
    type Writer = OwnedWriteHalf;

    async fn accept(&mut self) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
        let (stream, _) = self.0.accept().await?;
        Ok(stream.into_split())
    }
}

/// A new connection to the services, made with the first call.
pub fn channel() -> Channel {
    let connect =
        service_fn(|_: Uri| async { TcpStream::connect((SERVICE, PORT)).await.map(TokioIo::new) });
    Endpoint::from_static("http://flightdeck:8000").connect_with_connector_lazy(connect)
}

/// The time of the simulation: the same on every host, whatever restarts.
#[derive(Default)]
pub struct SimulationClock(
    // Milliseconds, for who asks from outside of the simulation.
    AtomicU64,
);

impl SimulationClock {
    pub fn set(&self, now: Moment) {
        self.0.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn moment(&self) -> Moment {
        let outside = || Duration::from_millis(self.0.load(Ordering::Relaxed));
        turmoil::sim_elapsed().unwrap_or_else(outside)
    }
}

impl Clock for SimulationClock {
    fn now(&self) -> SystemTime {
        time_of_day(self.moment())
    }
}

/// When the services could not be reached: what is lost then is not theirs.
#[derive(Default)]
pub struct Outages(
    // A mutex, because hosts read what the weather writes.
    Mutex<Vec<Outage>>,
);

struct Outage {
    from: Moment,
    to: Option<Moment>,
}

impl Outages {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<Outage>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn begin(&self, now: Moment) {
        self.with(|outages| outages.push(Outage { from: now, to: None }));
    }

    /// The last outage is over.
    pub fn end(&self, now: Moment) {
        self.with(|outages| {
            if let Some(last) = outages.last_mut() {
                last.to.get_or_insert(now);
            }
        });
    }

    /// How many there were: a connection from before the last is worth nothing.
    pub fn ended(&self) -> usize {
        self.with(|outages| outages.iter().filter(|outage| outage.to.is_some()).count())
    }

    /// True if there was one in this time.
    pub fn met(&self, from: Moment, to: Moment) -> bool {
        self.with(|outages| {
            outages
                .iter()
                .any(|outage| outage.from <= to && outage.to.is_none_or(|end| end >= from))
        })
    }
}
