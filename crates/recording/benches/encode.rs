//! What a recorded second costs the thread that writes it: each format, in the clear and sealed.

use std::io::Write as _;
use std::time::Instant;

use recording::{Format, Key, Keyring, Recording, Settings};

/// Seconds of sound in each run.
const SECONDS: usize = 120;

/// Two voices as they are for an encoder: pitch, its harmonics and some noise, with pauses, one after the other.
fn voices() -> Vec<[i16; 2]> {
    let mut noise = 1_u32;
    let mut sound = Vec::with_capacity(SECONDS * 8_000);
    for place in 0..SECONDS * 8_000 {
        let time = place as f32 / 8_000.0;
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = (noise >> 16) as f32 / 65_536.0 - 0.5;
        let voice = |pitch: f32, turn: f32| {
            let phase = (time * pitch + 2.0 * (time * 3.0).sin()).fract() - 0.5;
            let loud = ((time * 0.5 + turn).fract() < 0.45) as u8 as f32 * (0.6 + 0.4 * (time * 25.0).sin());
            ((phase * loud * 8_000.0) + hiss * (100.0 + 1_500.0 * loud)) as i16
        };
        sound.push([voice(120.0, 0.0), voice(210.0, 0.5)]);
    }
    sound
}

fn main() -> std::io::Result<()> {
    let sound = voices();
    let key = Key::read(&[7; 32]).map_err(std::io::Error::other)?;
    let mut out = std::io::stdout().lock();
    for format in [Format::Wav, Format::Opus] {
        for keys in [vec![], vec![key.clone()]] {
            let folder = tempfile::tempdir()?;
            let sealed = if keys.is_empty() { "clear" } else { "sealed" };
            let settings = Settings { folder: folder.path().into(), format, keys: Keyring::new(keys) };
            let name = format!("a.{}", settings.suffix());
            let start = Instant::now();
            let mut recording = Recording::create(&settings, &name)?;
            for second in sound.chunks(8_000) {
                second.chunks(800).try_for_each(|block| recording.add(block))?;
                recording.keep()?;
            }
            recording.finish()?.sync()?;
            let each = start.elapsed() / SECONDS as u32;
            let octets = std::fs::metadata(folder.path().join(&name))?.len() / SECONDS as u64;
            writeln!(
                out,
                "{:5} {sealed:6} {each:>10.1?} elapsed, {octets:6} octets a second",
                format.word()
            )?;
        }
    }
    Ok(())
}
