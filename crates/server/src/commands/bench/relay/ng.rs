//! rtpengine's control protocol "ng": a cookie, a space and a dictionary in bencode, one datagram each way.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use super::bencode::Value;

/// For an answer; after that the question is asked again, which rtpengine knows by its cookie.
const PATIENCE: Duration = Duration::from_secs(1);
const TRIES: u8 = 5;
/// Octets of the longest datagram.
const LONGEST: usize = 65_535;

/// One who commands an rtpengine.
pub(super) struct Control {
    socket: UdpSocket,
    asked: u64,
}

impl Control {
    /// By a socket that is bound, to a server that listens there.
    pub(super) fn new(socket: UdpSocket, server: SocketAddrV4) -> io::Result<Self> {
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, asked: 0 })
    }

    /// Whether it is there.
    pub(super) fn ping(&mut self) -> bool {
        let ping = Value::from([("command", "ping".into())]);
        self.exchange(&ping, 1).is_ok_and(|answer| answer.text("result") == Some("pong"))
    }

    /// Makes a call between two parties, each by where it takes media. Says where each of them sends to.
    pub(super) fn join(
        &mut self,
        call: u32,
        parties: [SocketAddrV4; 2],
    ) -> Result<[SocketAddrV4; 2], String> {
        let second = self.media("offer", call, parties[0])?;
        let first = self.media("answer", call, parties[1])?;
        Ok([first, second])
    }

    /// Hands over one party's description; says where the other party sends to.
    fn media(&mut self, command: &str, call: u32, party: SocketAddrV4) -> Result<SocketAddrV4, String> {
        let question = Value::from([
            ("command", command.into()),
            ("call-id", format!("bench-{call}").as_str().into()),
            ("from-tag", "first".into()),
            ("to-tag", "second".into()),
            ("ICE", "remove".into()),
            ("flags", Value::List(vec!["trust-address".into()])),
            ("replace", Value::List(vec!["origin".into(), "session-connection".into()])),
            ("sdp", description(party).as_str().into()),
        ]);
        let answer = self.exchange(&question, TRIES).map_err(|error| error.to_string())?;
        let wrong = || format!("rtpengine answers {command} with {answer:?}");
        answer.text("sdp").and_then(place).filter(|_| answer.text("result") == Some("ok")).ok_or_else(wrong)
    }

    fn exchange(&mut self, question: &Value, tries: u8) -> io::Result<Value> {
        self.asked += 1;
        let cookie = format!("{} ", self.asked);
        let mut datagram = cookie.clone().into_bytes();
        question.write(&mut datagram);
        let mut buffer = [0; LONGEST];
        for _ in 0..tries {
            self.socket.send(&datagram)?;
            // An answer to an earlier question may come late, and once for each time it was asked.
            while let Ok(length) = self.socket.recv(&mut buffer) {
                let answer = buffer[..length].strip_prefix(cookie.as_bytes()).and_then(Value::read);
                if let Some(answer) = answer {
                    return Ok(answer);
                }
            }
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "rtpengine does not answer"))
    }
}

fn description(party: SocketAddrV4) -> String {
    let (ip, port) = (party.ip(), party.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Where a description with one medium takes it.
fn place(description: &str) -> Option<SocketAddrV4> {
    let value = |kind| description.lines().rev().find_map(|line| line.strip_prefix(kind));
    let ip: Ipv4Addr = value("c=IN IP4 ")?.trim().parse().ok()?;
    let port = value("m=audio ")?.split(' ').next()?.parse().ok()?;
    (port != 0).then_some(SocketAddrV4::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_says_where_media_is_taken() {
        let party = "127.0.0.5:4000".parse().unwrap();
        assert_eq!(place(&description(party)), Some(party));
        let text = "v=0\nc=IN IP4 10.0.0.1\nm=audio 10000 RTP/AVP 8\nc=IN IP4 10.0.0.2\na=x\n";
        assert_eq!(place(text), Some("10.0.0.2:10000".parse().unwrap()), "the medium's own address counts");
        for text in ["", "m=audio 5 RTP/AVP 8\r\n", "c=IN IP4 10.0.0.1\r\nm=audio 0 RTP/AVP 8\r\n"] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_is_known_by_its_cookie() {
        let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
        let server = bind();
        let std::net::SocketAddr::V4(address) = server.local_addr().unwrap() else {
            unreachable!("as bound")
        };
        let mut control = Control::new(bind(), address).unwrap();
        let played = std::thread::spawn(move || {
            let mut buffer = [0; 2_000];
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            let (cookie, question) = buffer[..length].split_at(2);
            let question = Value::read(question).unwrap();
            server.send_to(b"77 d6:result4:fakee", from).unwrap();
            server.send_to(b"not even that", from).unwrap();
            server.send_to(&[cookie, b"d6:result4:ponge"].concat(), from).unwrap();
            question
        });
        assert!(control.ping());
        assert_eq!(played.join().unwrap().text("command"), Some("ping"));
    }
}
