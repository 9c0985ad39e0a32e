//! A TCP proxy in front of a broker that knows enough of Kafka's requests to delay the end of a transaction.
//!
//! Every request starts with its length (4 bytes), then api key (2), version (2) and correlation
//! id (4). Requests of one transactional producer are known by its transactional id, which stands
//! in them as text.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::kafka::{Broker, BrokerOptions};

const INIT_PRODUCER_ID: i16 = 22;
const ADD_PARTITIONS_TO_TXN: i16 = 24;
const END_TXN: i16 = 26;
const TXN_OFFSET_COMMIT: i16 = 28;

/// A transaction that has written nothing after this time is none that the gate is for.
const EMPTY: Duration = Duration::from_millis(500);

/// Longest request that is taken for one.
const MAX_REQUEST: usize = 64 << 20;

/// What happens to the first end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mischief {
    /// The connection falls silent: the request is on its way, and so is everything behind it.
    Silence,
    /// The connection is cut while the request is on its way.
    Cut,
    /// The request arrives, and the connection is cut before its answer; a copy is on its way.
    CutAfterwards,
}

/// A proxy for all clients of one broker.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

/// The requests of one transactional id.
pub struct Watch {
    shared: Arc<Shared>,
    transactional_id: String,
}

#[derive(Default)]
struct Shared {
    broker: OnceLock<String>,
    producers: Mutex<BTreeMap<String, Producer>>,
    changed: Condvar,
}

/// What is known of, and planned for, one transactional id.
#[derive(Default)]
struct Producer {
    mischief: Option<Mischief>,
    kept: Option<Vec<u8>>,
    caught: Option<Instant>,
    retried_after: Option<Duration>,
    initialised: usize,
    /// Whether the open transaction has partitions of records.
    wrote: bool,
    gate_closed: bool,
    at_gate: bool,
}

/// What to do with a request.
enum Verdict {
    Pass,
    Stall,
    Cut,
    PassAndCut,
    /// This one waits at the gate of that transactional id, and others overtake it.
    Hold(String),
}

impl Proxy {
    /// Listens on a free port; start the broker with that one advertised, then [`Proxy::connect`].
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let shared: Arc<Shared> = Arc::default();
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&all);
                thread::spawn(move || serve(&client, &shared));
            }
        });
        Self { port, shared }
    }

    /// A broker of one's own that all clients reach through a proxy.
    ///
    /// # Panics
    /// If Kafka does not start.
    #[must_use]
    pub fn before_a_broker() -> (Broker, Self) {
        let proxy = Self::listen();
        let options = BrokerOptions {
            advertise: vec![proxy.port()],
            ..BrokerOptions::default()
        };
        let broker = Broker::own(&options).expect("Kafka starts");
        proxy.connect(broker.bootstrap_servers());
        (broker, proxy)
    }

    /// Names the broker's own address.
    pub fn connect(&self, broker: &str) {
        self.shared.broker.get_or_init(|| broker.to_owned());
    }

    /// The port that clients are to use.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Looks at the requests of a transactional id from now on.
    #[must_use]
    pub fn watch(&self, transactional_id: &str) -> Watch {
        let transactional_id = transactional_id.to_owned();
        let producer = Producer::default();
        self.shared
            .producers
            .lock()
            .insert(transactional_id.clone(), producer);
        Watch {
            shared: Arc::clone(&self.shared),
            transactional_id,
        }
    }
}

impl Watch {
    /// Lets the next end of a transaction run into this.
    pub fn plan(&self, mischief: Mischief) {
        self.change(|producer| producer.mischief = Some(mischief));
    }

    /// Waits until the producer has sent that end again. Returns after how long.
    pub fn retried(&self, limit: Duration) -> Option<Duration> {
        self.wait(limit, |producer| producer.retried_after)
    }

    /// How often a producer of that id was initialised.
    #[must_use]
    pub fn initialised(&self) -> usize {
        self.look(|producer| producer.initialised)
    }

    /// The next transaction that writes something is held before its input offsets.
    pub fn close_gate(&self) {
        self.change(|producer| producer.gate_closed = true);
    }

    /// Waits until a transaction is held.
    #[must_use]
    pub fn at_gate(&self, limit: Duration) -> bool {
        self.wait(limit, |producer| producer.at_gate.then_some(()))
            .is_some()
    }

    /// Lets the held transaction go on.
    pub fn open_gate(&self) {
        self.change(|producer| producer.gate_closed = false);
    }

    /// The kept end of the earlier transaction arrives now. Returns the broker's error code.
    ///
    /// # Errors
    /// Where the broker cannot be reached.
    ///
    /// # Panics
    /// If nothing was kept.
    pub fn deliver(&self) -> io::Result<i16> {
        let request = self
            .look(|producer| producer.kept.clone())
            .expect("an end was kept");
        let mut broker = connect(&self.shared)?;
        send(&mut broker, &request)?;
        let answer = receive(&mut broker)?;
        // Correlation id and throttle time come first.
        let code = answer.get(8..10).and_then(|code| code.try_into().ok());
        Ok(i16::from_be_bytes(
            code.ok_or(io::ErrorKind::UnexpectedEof)?,
        ))
    }

    fn change(&self, change: impl FnOnce(&mut Producer)) {
        self.look(change);
        self.shared.changed.notify_all();
    }

    fn look<T>(&self, look: impl FnOnce(&mut Producer) -> T) -> T {
        look(
            self.shared
                .producers
                .lock()
                .entry(self.transactional_id.clone())
                .or_default(),
        )
    }

    fn wait<T>(&self, limit: Duration, ready: impl Fn(&Producer) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut producers = self.shared.producers.lock();
        loop {
            if let Some(ready) = producers.get(&self.transactional_id).and_then(&ready) {
                return Some(ready);
            }
            if self
                .shared
                .changed
                .wait_until(&mut producers, deadline)
                .timed_out()
            {
                return None;
            }
        }
    }
}

/// One client's connection.
fn serve(client: &TcpStream, shared: &Arc<Shared>) {
    let Ok(broker) = connect(shared) else { return };
    let answers = (broker.try_clone(), client.try_clone());
    if let (Ok(mut from), Ok(mut to)) = answers {
        thread::spawn(move || {
            drop(io::copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Both));
        });
    }
    // An error ends the connection, whichever side it comes from.
    if let Ok(writer) = broker.try_clone() {
        drop(requests(client, &Arc::new(Mutex::new(writer)), shared));
    }
    drop(client.shutdown(Shutdown::Both));
    drop(broker.shutdown(Shutdown::Both));
}

fn requests(
    mut client: &TcpStream,
    broker: &Arc<Mutex<TcpStream>>,
    shared: &Arc<Shared>,
) -> io::Result<()> {
    loop {
        let request = receive(&mut client)?;
        match shared.judge(&request) {
            Verdict::Pass => send(&mut *broker.lock(), &request)?,
            Verdict::Hold(id) => {
                let (broker, shared) = (Arc::clone(broker), Arc::clone(shared));
                thread::spawn(move || {
                    shared.hold(&id);
                    // Whoever sent it finds out by the missing answer.
                    drop(send(&mut *broker.lock(), &request));
                });
            }
            // Until the client gives the connection up.
            Verdict::Stall => return io::copy(&mut client, &mut io::sink()).map(drop),
            Verdict::Cut => return Ok(()),
            Verdict::PassAndCut => {
                client.shutdown(Shutdown::Both)?;
                return send(&mut *broker.lock(), &request);
            }
        }
    }
}

impl Shared {
    /// Decides about a request.
    fn judge(&self, request: &[u8]) -> Verdict {
        let api = request
            .first_chunk()
            .map_or(-1, |key| i16::from_be_bytes(*key));
        let transactional = [
            INIT_PRODUCER_ID,
            ADD_PARTITIONS_TO_TXN,
            TXN_OFFSET_COMMIT,
            END_TXN,
        ];
        if !transactional.contains(&api) {
            return Verdict::Pass;
        }
        let mut producers = self.producers.lock();
        // Behind its length, because an id may begin like another one; newer versions count the
        // length from 1.
        let names = |id: &str| {
            request.windows(id.len() + 1).any(|bytes| {
                let length = usize::from(bytes[0]);
                (length == id.len() || length == id.len() + 1) && bytes[1..] == *id.as_bytes()
            })
        };
        let Some(id) = producers.keys().find(|id| names(id)).cloned() else {
            return Verdict::Pass;
        };
        let producer = producers.entry(id.clone()).or_default();
        let verdict = match api {
            INIT_PRODUCER_ID => {
                producer.initialised += 1;
                Verdict::Pass
            }
            ADD_PARTITIONS_TO_TXN => {
                producer.wrote = true;
                Verdict::Pass
            }
            TXN_OFFSET_COMMIT if producer.gate_closed => Verdict::Hold(id),
            END_TXN => {
                producer.wrote = false;
                producer.end(request)
            }
            _ => Verdict::Pass,
        };
        self.changed.notify_all();
        verdict
    }

    /// Waits until the gate is open, or the transaction turns out to be an empty one.
    fn hold(&self, id: &str) {
        let empty = Instant::now() + EMPTY;
        let mut producers = self.producers.lock();
        while let Some(producer) = producers
            .get_mut(id)
            .filter(|producer| producer.gate_closed)
        {
            producer.at_gate |= producer.wrote;
            let at_gate = producer.at_gate;
            self.changed.notify_all();
            if at_gate {
                self.changed.wait(&mut producers);
            } else if self.changed.wait_until(&mut producers, empty).timed_out() {
                return;
            }
        }
    }
}

impl Producer {
    fn end(&mut self, request: &[u8]) -> Verdict {
        if let (Some(caught), None) = (self.caught, self.retried_after) {
            self.retried_after = Some(caught.elapsed());
        }
        let Some(mischief) = self.mischief.take() else {
            return Verdict::Pass;
        };
        self.kept = Some(request.to_vec());
        self.caught = Some(Instant::now());
        match mischief {
            Mischief::Silence => Verdict::Stall,
            Mischief::Cut => Verdict::Cut,
            Mischief::CutAfterwards => Verdict::PassAndCut,
        }
    }
}

fn connect(shared: &Shared) -> io::Result<TcpStream> {
    let broker = shared.broker.get().ok_or(io::ErrorKind::NotConnected)?;
    let stream = TcpStream::connect(broker)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn receive(from: &mut impl io::Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_REQUEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame)?;
    Ok(frame)
}

fn send(to: &mut impl io::Write, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut whole = length.to_be_bytes().to_vec();
    whole.extend_from_slice(frame);
    to.write_all(&whole)
}
