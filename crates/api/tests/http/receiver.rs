//! Someone who is told of events: takes them, fails, hangs, lies.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Fails a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// What it does with a request it has read.
#[derive(Debug, Clone)]
pub(crate) enum Mood {
    Say(u16),
    Redirect(String),
    /// Keeps the connection and says nothing.
    Hang,
    /// Ends the connection without a word.
    Close,
    /// Ends it in the middle of the first line.
    Stammer,
    /// A status, and a body that never comes.
    Promise,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Told {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn id(&self) -> String {
        self.event()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(is, _)| is.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }
}

/// One who decides by the request and how often one has come before.
type Temper = Arc<dyn Fn(&Value, usize) -> Mood + Send + Sync>;

pub(crate) struct Receiver {
    pub(crate) url: String,
    told: mpsc::UnboundedReceiver<Told>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    /// Goes through these moods, and takes everything after.
    pub(crate) async fn moody(moods: impl Into<VecDeque<Mood>>) -> Self {
        let moods = Mutex::new(moods.into());
        Self::tempered(move |_, _| moods.lock().unwrap().pop_front().unwrap_or(Mood::Say(200))).await
    }

    pub(crate) async fn tempered(temper: impl Fn(&Value, usize) -> Mood + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (tell, told) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, tell, Arc::new(temper)));
        Self { url, told, _tasks: tasks }
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Told {
        timeout(PATIENCE, self.told.recv()).await.expect("a request comes").unwrap()
    }

    /// Requests that came and were not looked at.
    pub(crate) fn waiting(&mut self) -> usize {
        std::iter::from_fn(|| self.told.try_recv().ok()).count()
    }
}

async fn accept(listener: TcpListener, tell: mpsc::UnboundedSender<Told>, temper: Temper) {
    let mut connections = JoinSet::new();
    let count = Arc::new(AtomicUsize::new(0));
    while let Ok((stream, _)) = listener.accept().await {
        let (tell, temper, count) = (tell.clone(), Arc::clone(&temper), Arc::clone(&count));
        connections.spawn(async move {
            let mut stream = stream;
            if let Some(told) = read(&mut stream).await {
                let before = count.fetch_add(1, Ordering::Relaxed);
                let mood = temper(&told.event(), before);
                let _ = tell.send(told);
                answer(&mut stream, mood).await;
            }
        });
    }
}

async fn read(stream: &mut TcpStream) -> Option<Told> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let told = Told { head: head.to_owned(), body: body.to_owned() };
            if told.header("content-length").parse() == Ok(body.len()) {
                return Some(told);
            }
        }
    }
}

async fn answer(stream: &mut TcpStream, mood: Mood) {
    let text = match mood {
        Mood::Say(status) => {
            format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        }
        Mood::Redirect(to) => {
            format!("HTTP/1.1 307 X\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
        Mood::Hang => return std::future::pending().await,
        Mood::Close => return,
        Mood::Stammer => "HTTP/1.1 2".to_owned(),
        Mood::Promise => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned(),
    };
    let _ = stream.write_all(text.as_bytes()).await;
}
