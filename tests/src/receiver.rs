//! Who receives webhooks and answers hooks: the plainest HTTP server, which keeps what it is sent and says what it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::wait;

/// One request.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub body: String,
}

impl Posted {
    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The body.
    ///
    /// # Panics
    /// If it is no JSON.
    #[must_use]
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|fault| panic!("{fault}: {}", self.body))
    }
}

/// What a receiver answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A status and nothing more.
    Status(u16),
    /// 200 and this text.
    Text(String),
    /// 200 and this text, an octet each time so much has passed.
    Dripping(String, Duration),
    /// Nothing; the connection stays open.
    Silence,
    /// Nothing; the connection is closed.
    Hangup,
}

impl Reply {
    /// These actions, as JSON.
    #[must_use]
    pub fn actions(actions: &Value) -> Self {
        Self::Text(serde_json::json!({ "actions": actions }).to_string())
    }
}

/// A receiver, each request of which is answered on a thread of its own.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Listens, and answers 204 to all.
    ///
    /// # Panics
    /// If the address is taken.
    #[must_use]
    pub fn start(address: IpAddr, port: u16) -> Self {
        Self::answering(address, port, |_| Reply::Status(204))
    }

    /// Listens, and answers each request by what this says.
    ///
    /// # Panics
    /// If the address is taken.
    #[must_use]
    pub fn answering(
        address: IpAddr,
        port: u16,
        answer: impl Fn(&Posted) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((address, port)).expect("the address is free");
        listener.set_nonblocking(true).expect("a socket can be made non-blocking");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (posted, over) = (Arc::<Mutex<Vec<Posted>>>::default(), Arc::new(AtomicBool::new(false)));
        let (sink, ends, answer) = (Arc::clone(&posted), Arc::clone(&over), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    wait::pause(Duration::from_millis(10));
                    continue;
                };
                stream.set_nonblocking(false).expect("a socket can be made blocking");
                stream.set_read_timeout(Some(wait::SOON)).expect("a socket takes a time-out");
                let (sink, answer) = (Arc::clone(&sink), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &sink, &*answer));
            }
        });
        Self { address, posted, over, thread: Some(thread) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything received so far.
    ///
    /// # Panics
    /// If the receiver has.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().expect("nobody panics holding it").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            drop(thread.join());
        }
    }
}

/// Who says nothing sensible is not kept.
fn serve(stream: TcpStream, sink: &Mutex<Vec<Posted>>, answer: &dyn Fn(&Posted) -> Reply) {
    let mut reader = BufReader::new(stream);
    let Some(posted) = read(&mut reader) else { return };
    let reply = answer(&posted);
    sink.lock().expect("nobody panics holding it").push(posted);
    // Whoever asked may have gone.
    let _ = say(&mut reader, reply);
}

fn say(stream: &mut BufReader<TcpStream>, reply: Reply) -> std::io::Result<()> {
    let to = stream.get_mut();
    let head = |text: &str| {
        let length = text.len();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")
    };
    match reply {
        Reply::Status(status) => {
            let rest = if status == 204 { "" } else { "Content-Length: 0\r\n" };
            to.write_all(format!("HTTP/1.1 {status} Said\r\n{rest}Connection: close\r\n\r\n").as_bytes())
        }
        Reply::Text(text) => to.write_all((head(&text) + &text).as_bytes()),
        Reply::Dripping(text, pause) => {
            to.write_all(head(&text).as_bytes())?;
            for octet in text.bytes() {
                to.write_all(&[octet])?;
                wait::pause(pause);
            }
            Ok(())
        }
        // Until the other side has had enough.
        Reply::Silence => stream.read_to_end(&mut Vec::new()).map(drop),
        Reply::Hangup => Ok(()),
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Posted> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut posted = Posted { headers, body: String::new() };
    let length: usize = posted.header("content-length").unwrap_or("0").parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    posted.body = String::from_utf8(body).ok()?;
    Some(posted)
}
