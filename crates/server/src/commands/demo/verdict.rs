//! What the demo comes to: the proof, the files, what to do next.

use std::io::Cursor;
use std::path::Path;

use phone::{Outcome, wav};

use super::super::loopback::LINE;
use super::ladder::Ladder;
use super::proof::{Canaries, Hearing, Search};
use super::stage::OFFICE;
use super::{Actor, Cast, Piece, Played, address};

const GOOD: &str = "32;1";
const BAD: &str = "31;1";
const PLAIN: &str = "0";
const HEAD: &str = "1";
const DIM: &str = "2";

/// Tells what the call proves and leaves everything in `out`. Whether all is well.
pub(super) fn tell(out: &Path, played: &Played, mut ladder: Ladder) -> Result<bool, String> {
    let recording_path = out.join("recording.wav");
    std::fs::write(&recording_path, &played.recording)
        .map_err(|error| format!("{}: {error}", recording_path.display()))?;
    let Cast { caller, callee, .. } = played.cast;
    for (actor, outcome) in [(caller, &played.caller), (callee, &played.callee)] {
        let path = out.join(format!("{}-heard.wav", actor.word));
        wav::write(&path, &outcome.heard.samples).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let record = serde_json::to_string_pretty(&played.record).map_err(|error| error.to_string())?;
    save(&out.join("record.json"), &record)?;

    let mut failed = 0_usize;
    ladder.line(&[(PLAIN, "")]);
    for row in rows(played)? {
        failed += usize::from(!row.good);
        let (colour, word) = if row.good { (GOOD, "  ✔ ") } else { (BAD, "  ✘ ") };
        ladder.line(&[(colour, word), (HEAD, &format!("{:<10}", row.title)), (PLAIN, &row.text)]);
    }
    ladder.line(&[(PLAIN, "")]);
    ladder.line(&[(HEAD, "  The record of the call, as the API and webhooks tell it:")]);
    for line in record.lines() {
        ladder.line(&[(DIM, &format!("  {line}"))]);
    }
    ending(out, &mut ladder, played.cast, failed);
    save(&out.join("ladder.txt"), &ladder.text)?;
    Ok(failed == 0)
}

fn save(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// One thing that was proved, or not.
struct Proved {
    good: bool,
    title: &'static str,
    text: String,
}

fn rows(played: &Played) -> Result<Vec<Proved>, String> {
    let Cast { caller, callee, piece } = played.cast;
    let [to_caller, to_callee] = played.shown.each_ref().map(|shown| shown.as_deref().unwrap_or("nothing"));
    let (good, text) = if piece == Piece::Callback {
        let text = format!("the phone of {caller} showed {to_caller}; that of {callee} showed {to_callee}");
        (to_caller == OFFICE && to_callee == LINE, text)
    } else {
        (to_callee == LINE, format!("{caller} dialled {LINE}; the phone of {callee} showed {to_callee}"))
    };
    let mut rows = vec![
        Proved { good, title: "seen", text },
        heard(caller, played.caller.heard.talk(), callee.tone),
        heard(callee, played.callee.heard.talk(), caller.tone),
        hidden([callee, caller], &played.callee, &played.caller),
        hidden([caller, callee], &played.caller, &played.callee),
    ];
    rows.push(recorded(played)?);
    Ok(rows)
}

fn heard(who: Actor, samples: &[i16], hertz: f32) -> Proved {
    let Hearing { hertz: found, level, seconds, is_right } = Hearing::of(samples, hertz);
    let text =
        format!("{who} heard {found:.0} Hz at {level:.1} dB for {seconds:.1} s; {hertz:.0} Hz was said");
    Proved { good: is_right, title: "heard", text }
}

/// Whether anything of the first reached the second.
fn hidden([of, by]: [Actor; 2], owner: &Outcome, other: &Outcome) -> Proved {
    let canaries = Canaries::of(of.number, address(of.at).ip(), &(of.clothes)(), owner);
    let Search { datagrams, bytes, leaks } = canaries.search(&other.traffic.received);
    let found =
        if leaks.is_empty() { "none".to_owned() } else { leaks.into_iter().collect::<Vec<_>>().join("; ") };
    let text = format!(
        "{count} marks of {of} looked for in all {datagrams} packets ({bytes} bytes) {by} got: {found}",
        count = canaries.len()
    );
    Proved { good: found == "none" && datagrams > 0, title: "hidden", text }
}

/// Whether the recording has the caller on its left and the callee on its right.
fn recorded(played: &Played) -> Result<Proved, String> {
    let channels = wav::read_from(Cursor::new(&played.recording)).map_err(|error| error.to_string())?;
    let [left, right] = &channels[..] else {
        let text = format!("{} channels instead of two", channels.len());
        return Ok(Proved { good: false, title: "recorded", text });
    };
    // The last second and a half, but for the very end: both talk then.
    let late = |samples: &[i16]| {
        let end = samples.len().saturating_sub(4_000);
        samples[end.saturating_sub(12_000)..end].to_vec()
    };
    let Cast { caller, callee, .. } = played.cast;
    let (left, right) = (Hearing::of(&late(left), caller.tone), Hearing::of(&late(right), callee.tone));
    let text = format!("left {:.0} Hz ({caller}), right {:.0} Hz ({callee})", left.hertz, right.hertz);
    Ok(Proved { good: left.is_right && right.is_right, title: "recorded", text })
}

fn ending(out: &Path, ladder: &mut Ladder, cast: Cast, failed: usize) {
    ladder.line(&[(PLAIN, "")]);
    let dir = out.display();
    ladder.line(&[
        (HEAD, "  Listen: "),
        (
            PLAIN,
            &format!("{dir}/{}-heard.wav, {}-heard.wav, recording.wav", cast.caller.word, cast.callee.word),
        ),
    ]);
    ladder.line(&[(HEAD, "  Read:   "), (PLAIN, &format!("{dir}/record.json, ladder.txt"))]);
    ladder.line(&[(PLAIN, "")]);
    if failed == 0 {
        ladder.line(&[(GOOD, "  They talked, and neither learned who the other is.")]);
    } else {
        ladder.line(&[(BAD, &format!("  {failed} of these did not hold: see ✘ above."))]);
    }
    ladder.line(&[(PLAIN, "")]);
    ladder.line(&[
        (HEAD, "  Next:   "),
        (PLAIN, "bauta check && bauta serve        after the five lines of config/bauta.toml"),
    ]);
    let next = match cast.piece {
        Piece::Order => [
            "bauta order put 12345 --courier +7… --client +7… --token …",
            "bauta phone dial sip:NUMBER@HOST:5060 --from +7… --digits 12345",
        ],
        Piece::Pair => [
            "bauta pair create --a +7… --b +7… --token …",
            "bauta phone dial sip:NUMBER@HOST:5060 --from +7…",
        ],
        Piece::Callback => [
            "bauta callback create --line +7… --first +7… --second +7… --token …",
            "bauta callback list --token …",
        ],
    };
    for line in next {
        ladder.line(&[(PLAIN, &format!("          {line}"))]);
    }
}
