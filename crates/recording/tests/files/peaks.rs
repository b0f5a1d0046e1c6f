//! A waveform is what was said, whichever form the file has, and however much of it there is.

use std::cell::Cell;

use recording::{Format, OpenError, Opened, Peaks};

use crate::{keys, record, settings};

/// Silence, then so loud a tone on the left, then one on the right; a second each.
fn steps() -> Vec<[i16; 2]> {
    let tone = |place: usize, loud: f32| {
        ((place as f32 * 440.0 / 8_000.0 * std::f32::consts::TAU).sin() * loud) as i16
    };
    (0..24_000)
        .map(|place| match place / 8_000 {
            0 => [0, 0],
            1 => [tone(place, 16_000.0), 0],
            _ => [0, tone(place, 8_000.0)],
        })
        .collect()
}

fn peaks(of: &Opened, points: usize) -> Peaks {
    of.peaks(points, || true).unwrap().unwrap()
}

#[test]
fn each_form_shows_what_was_said_and_when() {
    let folder = tempfile::tempdir().unwrap();
    for (format, key) in
        [Format::Wav, Format::Opus].into_iter().flat_map(|format| [(format, &[][..]), (format, &[1][..])])
    {
        let settings = settings(folder.path(), format, key);
        let name = format!("a.{}", settings.suffix());
        record(&settings, &name, &steps());
        let opened = Opened::open(&folder.path().join(&name), &keys(key)).unwrap();
        let Peaks { seconds, channels: [left, right] } = peaks(&opened, 300);
        assert_eq!((seconds, left.len(), right.len()), (3.0, 300, 300), "{name}");
        // What an encoder says around a step is not looked at.
        let loudest = |of: &[f64], second: usize| {
            of[second * 100 + 5..second * 100 + 95].iter().copied().fold(0.0, f64::max)
        };
        let least = |of: &[f64], second: usize| {
            of[second * 100 + 5..second * 100 + 95].iter().copied().fold(1.0, f64::min)
        };
        for (channel, second, about) in [(&left, 1, 0.488), (&right, 2, 0.244)] {
            assert!((loudest(channel, second) - about).abs() < 0.08, "{name}: {}", loudest(channel, second));
            assert!(least(channel, second) > about / 2.0, "{name}: each part of a tone is loud");
        }
        for (channel, second) in [(&left, 0), (&left, 2), (&right, 0), (&right, 1)] {
            assert!(loudest(channel, second) < 0.02, "{name}: {}", loudest(channel, second));
        }
        assert_eq!(peaks(&opened, 100).channels[0].len(), 100);
    }
}

#[test]
fn what_has_fewer_frames_than_points_shows_each_and_nothing_shows_none() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Format::Wav, &[]);
    record(&settings, "few.wav", &[[i16::MIN, 0], [0, 16_384], [-3, 0]]);
    let few = peaks(&Opened::open(&folder.path().join("few.wav"), &keys(&[])).unwrap(), 100);
    assert_eq!(few.channels, [vec![1.0, 0.0, 0.0], vec![0.0, 0.5, 0.0]]);
    for format in [Format::Wav, Format::Opus] {
        let settings = crate::settings(folder.path(), format, &[2]);
        let name = format!("none.{}", settings.suffix());
        record(&settings, &name, &[]);
        let none = peaks(&Opened::open(&folder.path().join(&name), &keys(&[2])).unwrap(), 100);
        assert_eq!((none.seconds, none.channels), (0.0, [vec![], vec![]]), "{name}");
    }
}

#[test]
fn whoever_waits_no_more_is_worked_for_no_more() {
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Wav, Format::Opus] {
        let settings = settings(folder.path(), format, &[1]);
        let name = format!("long.{}", settings.suffix());
        record(&settings, &name, &vec![[0, 0]; 8_000 * 30]);
        let opened = Opened::open(&folder.path().join(&name), &keys(&[1])).unwrap();
        let looks = Cell::new(0);
        let wanted = || {
            looks.set(looks.get() + 1);
            looks.get() < 3
        };
        assert_eq!(opened.peaks(100, wanted).unwrap(), None, "{name}");
        assert_eq!(looks.get(), 3);
    }
}

#[test]
fn what_was_damaged_is_not_shown_and_what_was_cut_off_is_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    for (format, key) in [(Format::Wav, &[1][..]), (Format::Opus, &[1]), (Format::Opus, &[])] {
        let settings = settings(folder.path(), format, key);
        let name = format!("b.{}", settings.suffix());
        record(&settings, &name, &steps());
        let path = folder.path().join(&name);
        let whole = std::fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let shown = Opened::open(&path, &keys(key)).unwrap().peaks(100, || true);
        assert!(matches!(shown, Err(OpenError::Damaged(_))), "{name}: {shown:?}");
    }
    std::fs::write(folder.path().join("c.wav"), b"RIFF of somebody else's, and long enough to have a header")
        .unwrap();
    let shown = Opened::open(&folder.path().join("c.wav"), &keys(&[])).unwrap().peaks(100, || true);
    assert!(matches!(shown, Err(OpenError::Damaged(_))), "{shown:?}");
    let settings = settings(folder.path(), Format::Opus, &[]);
    record(&settings, "d.opus", &steps());
    let path = folder.path().join("d.opus");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let cut = peaks(&Opened::open(&path, &keys(&[])).unwrap(), 300);
    assert!((1.9..3.0).contains(&cut.seconds), "all but the last page is whole: {}", cut.seconds);
}
