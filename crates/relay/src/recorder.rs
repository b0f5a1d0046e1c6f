//! The threads that write recordings, so that no call ever waits for a disk or an encoder; and beside each a second one
//! that waits until finished ones are on the disk.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle, available_parallelism};
use std::time::{Duration, Instant};

use recording::{Finished, Format, Recording, Settings};
use rtp::{Report, SessionId};

/// Blocks that may wait for the disk: 4 seconds of a hundred recordings.
const WAITING: usize = 4_096;
/// Finished recordings that may wait for the disk.
const SYNCING: usize = 1_024;
/// Frames in a block: 100 ms, as the machine hands them out.
const BLOCK: usize = 800;
/// How much of a recording a kill can cost.
const KEEP: Duration = Duration::from_secs(1);

/// What says reports.
pub(crate) type Say = Arc<dyn Fn(Report) + Send + Sync>;

/// What workers tell the recorder.
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation for every 100 ms of sound")]
enum Entry {
    Begin {
        session: SessionId,
        name: Box<str>,
    },
    Frames(Block),
    End {
        session: SessionId,
        /// Frames that did not fit into the channel.
        lost: u64,
    },
}

/// Up to 100 ms of a recording, without a place on the heap.
struct Block {
    session: SessionId,
    count: usize,
    frames: [[i16; 2]; BLOCK],
}

/// The recorder's threads. Ends, with all recordings finished, once it and all its feeds are dropped.
pub(crate) struct Recorder {
    hands: Vec<Hand>,
}

/// A thread that writes, and the way to it.
struct Hand {
    entries: SyncSender<Entry>,
    thread: JoinHandle<()>,
}

impl Recorder {
    /// Starts the threads. The folder is made, for its owner alone, when the first recording begins.
    pub(crate) fn start(settings: &Settings, say: &Say) -> io::Result<Self> {
        let count = match settings.format {
            // A disk is not faster for being written to by several.
            Format::Wav => 1,
            // A core encodes some hundred calls.
            Format::Opus => available_parallelism().map_or(1, usize::from),
        };
        let mut recorder = Self { hands: Vec::with_capacity(count) };
        for number in 0..count {
            recorder.hands.push(Hand::start(number, WAITING.div_ceil(count), settings, say)?);
        }
        Ok(recorder)
    }

    /// A way in for one worker.
    pub(crate) fn feed(&self) -> Feed {
        Feed { lanes: self.hands.iter().map(|hand| Lane::new(hand.entries.clone())).collect() }
    }
}

impl Hand {
    fn start(number: usize, waiting: usize, settings: &Settings, say: &Say) -> io::Result<Self> {
        let (entries, inbox) = sync_channel(waiting);
        let (finished, syncing) = sync_channel(SYNCING);
        let syncer = {
            let (folder, say) = (settings.folder.clone(), Arc::clone(say));
            let name = format!("rec-sync-{number}");
            Builder::new().name(name).spawn(move || sync(&folder, &syncing, &say))?
        };
        let recordings = BTreeMap::new();
        let writer = Writer { settings: settings.clone(), say: Arc::clone(say), finished, recordings };
        let thread = Builder::new().name(format!("recorder-{number}")).spawn(move || {
            yield_to_calls();
            writer.run(&inbox);
            syncer.join().expect("the thread that syncs does not panic");
        })?;
        Ok(Self { entries, thread })
    }
}

/// Lets every other thread go first: sound that waits is written later, a packet that waits is heard.
fn yield_to_calls() {
    // SAFETY: no pointer goes in or out. On Linux a process of zero is the thread that asks.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) } != 0 {
        tracing::debug!(error = %io::Error::last_os_error(), "the recorder runs like any other thread");
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        for Hand { entries, thread } in self.hands.drain(..) {
            drop(entries);
            if thread.join().is_err() {
                tracing::error!("a recorder's thread panicked");
            }
        }
    }
}

/// One worker's ways to the recorder: each session has its thread. Never waits: what does not fit is lost, and the
/// report says so.
pub(crate) struct Feed {
    lanes: Vec<Lane>,
}

impl Feed {
    pub(crate) fn begin(&mut self, session: SessionId, name: Box<str>) {
        self.lane(session).begin(session, name);
    }

    /// Adds the next frames: left and right.
    pub(crate) fn add(&mut self, session: SessionId, frames: &[[i16; 2]]) {
        self.lane(session).add(session, frames);
    }

    pub(crate) fn end(&mut self, session: SessionId) {
        self.lane(session).end(session);
    }

    /// Ends every recording that runs.
    pub(crate) fn end_all(&mut self) {
        self.lanes.iter_mut().for_each(Lane::end_all);
    }

    /// Tries again what did not fit.
    pub(crate) fn settle(&mut self) {
        for lane in &mut self.lanes {
            lane.settle();
        }
    }

    fn lane(&mut self, session: SessionId) -> &mut Lane {
        let place = session.0 as usize % self.lanes.len();
        &mut self.lanes[place]
    }
}

/// One worker's way to one of the recorder's threads.
struct Lane {
    entries: SyncSender<Entry>,
    /// Frames lost by each running recording.
    running: BTreeMap<SessionId, u64>,
    /// Beginnings and ends that did not fit; nothing passes them.
    waiting: Vec<Entry>,
}

impl Lane {
    fn new(entries: SyncSender<Entry>) -> Self {
        Self { entries, running: BTreeMap::new(), waiting: Vec::new() }
    }

    fn begin(&mut self, session: SessionId, name: Box<str>) {
        self.running.insert(session, 0);
        self.put(Entry::Begin { session, name });
    }

    fn add(&mut self, session: SessionId, frames: &[[i16; 2]]) {
        let Some(mut lost) = self.running.get(&session).copied() else { return };
        for part in frames.chunks(BLOCK) {
            let mut frames = [[0; 2]; BLOCK];
            frames[..part.len()].copy_from_slice(part);
            let block = Block { session, count: part.len(), frames };
            if !self.settle() || self.entries.try_send(Entry::Frames(block)).is_err() {
                lost += part.len() as u64;
            }
        }
        self.running.insert(session, lost);
    }

    fn end(&mut self, session: SessionId) {
        if let Some(lost) = self.running.remove(&session) {
            self.put(Entry::End { session, lost });
        }
    }

    /// Ends every recording that runs.
    fn end_all(&mut self) {
        while let Some(session) = self.running.first_key_value().map(|(session, _)| *session) {
            self.end(session);
        }
    }

    /// Tries again what did not fit; says whether all of it now has.
    fn settle(&mut self) -> bool {
        while let Some(entry) = self.waiting.pop() {
            if let Err(TrySendError::Full(entry)) = self.entries.try_send(entry) {
                self.waiting.push(entry);
                return false;
            }
        }
        true
    }

    fn put(&mut self, entry: Entry) {
        // Popped from its end, so the oldest stands there.
        self.waiting.insert(0, entry);
        self.settle();
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // The worker has ended: now there is time.
        for entry in self.waiting.drain(..).rev() {
            if self.entries.send(entry).is_err() {
                return;
            }
        }
    }
}

/// What the writing thread owns.
struct Writer {
    settings: Settings,
    say: Say,
    finished: SyncSender<Done>,
    recordings: BTreeMap<SessionId, Recording>,
}

/// A recording that has only to reach the disk.
struct Done {
    session: SessionId,
    file: Finished,
    fault: Option<String>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Entry>) {
        let mut kept = Instant::now();
        loop {
            let patience = KEEP.saturating_sub(kept.elapsed());
            match inbox.recv_timeout(patience) {
                Ok(Entry::Begin { session, name }) => self.begin(session, &name),
                Ok(Entry::Frames(block)) => {
                    self.with(block.session, |recording| recording.add(&block.frames[..block.count]));
                }
                Ok(Entry::End { session, lost }) => self.end(session, lost),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if kept.elapsed() >= KEEP {
                let sessions: Vec<_> = self.recordings.keys().copied().collect();
                for session in sessions {
                    self.with(session, Recording::keep);
                }
                kept = Instant::now();
            }
        }
        while let Some(session) = self.recordings.first_key_value().map(|(session, _)| *session) {
            self.end(session, 0);
        }
    }

    fn begin(&mut self, session: SessionId, name: &str) {
        if self.recordings.contains_key(&session) {
            return self.fault(session, "this session is being recorded already".to_owned());
        }
        let create = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.settings.folder)?;
            Recording::create(&self.settings, name)
        };
        match create() {
            Ok(recording) => {
                self.recordings.insert(session, recording);
            }
            Err(error) => self.fault(session, format!("cannot be written: {error}")),
        }
    }

    /// Does something to a running recording and breaks it off where that fails.
    fn with(&mut self, session: SessionId, act: impl FnOnce(&mut Recording) -> io::Result<()>) {
        let Some(recording) = self.recordings.get_mut(&session) else { return };
        if let Err(error) = act(recording) {
            if let Some(recording) = self.recordings.remove(&session) {
                break_off(recording);
            }
            self.fault(session, format!("broken off: {error}"));
        }
    }

    fn end(&mut self, session: SessionId, lost: u64) {
        let Some(recording) = self.recordings.remove(&session) else { return };
        let fault = (lost > 0).then(|| format!("{} ms are missing: the disk is too slow", lost / 8));
        match recording.finish() {
            Ok(file) => {
                let done = Done { session, file, fault };
                self.finished.send(done).expect("the thread that syncs ends after this one");
            }
            Err(error) => self.fault(session, format!("broken off: {error}")),
        }
    }

    fn fault(&self, session: SessionId, fault: String) {
        tracing::warn!(session = session.0, fault, "a recording is not whole");
        (self.say)(Report::Recorded { session, fault: Some(fault) });
    }
}

/// Lets what reached the disk be played, as far as the disk still takes that.
fn break_off(recording: Recording) {
    let path = recording.path().to_owned();
    if let Err(error) = recording.break_off() {
        tracing::warn!(path = %path.display(), %error, "a broken recording cannot be repaired now");
    }
}

fn sync(folder: &Path, done: &Receiver<Done>, say: &Say) {
    for Done { session, file, fault } in done {
        let synced = file.sync().and_then(|()| File::open(folder)?.sync_all());
        let fault = fault.or_else(|| synced.err().map(|error| format!("may not be on the disk: {error}")));
        say(Report::Recorded { session, fault });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    fn recorder(folder: &Path) -> (Recorder, Receiver<Report>) {
        let (reports, said) = channel();
        let say: Say = Arc::new(move |report| reports.send(report).unwrap());
        (Recorder::start(&Settings::wav(folder.to_owned()), &say).unwrap(), said)
    }

    fn samples(path: &Path) -> Vec<i16> {
        hound::WavReader::open(path).unwrap().into_samples().collect::<Result<_, _>>().unwrap()
    }

    fn whole(session: u32) -> Report {
        Report::Recorded { session: SessionId(session), fault: None }
    }

    fn fault_of(report: Report) -> String {
        let Report::Recorded { fault: Some(fault), .. } = report else { panic!("{report:?}") };
        fault
    }

    #[test]
    fn frames_are_written_whole_in_any_portion_and_only_while_a_recording_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, said) = recorder(&folder.path().join("new/recordings"));
        let mut feed = recorder.feed();
        feed.begin(SessionId(1), "one.wav".into());
        feed.add(SessionId(1), &[[1, 2]; 810]);
        feed.add(SessionId(2), &[[9, 9]; 10]);
        feed.end(SessionId(1));
        feed.add(SessionId(1), &[[9, 9]; 10]);
        assert_eq!(said.recv().unwrap(), whole(1));
        let samples = samples(&folder.path().join("new/recordings/one.wav"));
        assert_eq!(samples, [1, 2].repeat(810));
    }

    #[test]
    fn recordings_that_run_at_the_end_are_finished() {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, said) = recorder(folder.path());
        let mut feed = recorder.feed();
        feed.begin(SessionId(1), "one.wav".into());
        feed.begin(SessionId(2), "two.wav".into());
        feed.add(SessionId(2), &[[5, 6]]);
        drop(feed);
        drop(recorder);
        assert_eq!(said.iter().collect::<Vec<_>>(), [whole(1), whole(2)]);
        assert_eq!(samples(&folder.path().join("two.wav")), [5, 6]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_a_fault_of_the_recording() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let (recorder, said) = recorder(&file.join("recordings"));
        let mut feed = recorder.feed();
        feed.begin(SessionId(1), "one.wav".into());
        feed.add(SessionId(1), &[[1, 1]]);
        feed.end(SessionId(1));
        assert!(fault_of(said.recv().unwrap()).contains("cannot be written"));
        drop(feed);
        drop(recorder);
        assert!(said.recv().is_err(), "said once");
    }

    #[test]
    fn a_second_recording_of_a_session_is_refused_and_the_first_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, said) = recorder(folder.path());
        let mut feed = recorder.feed();
        feed.begin(SessionId(1), "one.wav".into());
        feed.begin(SessionId(1), "two.wav".into());
        assert!(fault_of(said.recv().unwrap()).contains("already"));
        feed.add(SessionId(1), &[[1, 1]]);
        feed.end(SessionId(1));
        assert_eq!(said.recv().unwrap(), whole(1));
    }

    #[test]
    fn what_does_not_fit_is_lost_but_ends_and_beginnings_are_not() {
        let (entries, inbox) = sync_channel(2);
        let mut feed = Lane::new(entries);
        feed.begin(SessionId(1), "one.wav".into());
        feed.add(SessionId(1), &[[1, 0]; 800]);
        feed.add(SessionId(1), &[[2, 0]; 1_600]);
        feed.end(SessionId(1));
        feed.begin(SessionId(2), "two.wav".into());
        feed.add(SessionId(2), &[[3, 0]; 80]);
        assert!(!feed.settle());
        let mut order = Vec::new();
        for _ in 0..2 {
            order.extend(inbox.try_iter().map(|entry| match entry {
                Entry::Begin { session, .. } => format!("begin {}", session.0),
                Entry::Frames(block) => format!("{} of {}", block.count, block.session.0),
                Entry::End { session, lost } => format!("end {} lost {lost}", session.0),
            }));
            assert!(feed.settle());
        }
        assert_eq!(order, ["begin 1", "800 of 1", "end 1 lost 1600", "begin 2"]);
        assert_eq!(feed.running[&SessionId(2)], 80);
    }

    /// The disk stands still: the thread that writes waits in the midst of a report until it is let go on.
    #[test]
    fn a_disk_that_stands_still_makes_no_worker_wait_and_the_record_says_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let (reports, said) = channel();
        let (stalled, stall) = channel();
        let (go_on, may_go_on) = channel::<()>();
        let gate = Mutex::new((stalled, may_go_on));
        let say: Say = Arc::new(move |report| {
            if matches!(&report, Report::Recorded { session: SessionId(0), .. }) {
                let gate = gate.lock().unwrap();
                gate.0.send(()).unwrap();
                gate.1.recv().unwrap();
            }
            reports.send(report).unwrap();
        });
        let recorder = Recorder::start(&Settings::wav(folder.path().to_owned()), &say).unwrap();
        drop(say);
        let mut feed = recorder.feed();
        feed.begin(SessionId(1), "one.wav".into());
        feed.begin(SessionId(0), "../nowhere".into());
        stall.recv().unwrap();
        // Half an hour more than there is room for. Nobody lets the writer go on before all of it is said.
        for _ in 0..WAITING + 100 {
            feed.add(SessionId(1), &[[7, 7]; BLOCK]);
        }
        feed.end(SessionId(1));
        go_on.send(()).unwrap();
        drop(feed);
        drop(recorder);
        let faults: BTreeMap<_, _> = said
            .iter()
            .map(|report| {
                let Report::Recorded { session, fault } = report else { panic!("{report:?}") };
                (session, fault.unwrap())
            })
            .collect();
        assert_eq!(faults[&SessionId(1)], "10000 ms are missing: the disk is too slow");
        assert_eq!(samples(&folder.path().join("one.wav")).len(), WAITING * BLOCK * 2);
    }

    #[test]
    fn many_recordings_in_opus_are_each_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (reports, said) = channel();
        let say: Say = Arc::new(move |report| reports.send(report).unwrap());
        let settings = Settings { format: Format::Opus, ..Settings::wav(folder.path().to_owned()) };
        let recorder = Recorder::start(&settings, &say).unwrap();
        drop(say);
        let mut feed = recorder.feed();
        for session in 0..9 {
            feed.begin(SessionId(session), format!("{session}.opus").into());
        }
        for session in (0..9).cycle().take(90) {
            feed.add(SessionId(session), &[[300, -300]; BLOCK]);
        }
        feed.end_all();
        drop(feed);
        drop(recorder);
        let reports: Vec<Report> = said.iter().collect();
        assert!((0..9).all(|session| reports.contains(&whole(session))), "{reports:?}");
        assert_eq!(reports.len(), 9);
        assert!(recording::repair(&settings).unwrap().repaired.is_empty(), "each has its end");
    }
}
