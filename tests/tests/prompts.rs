//! The prompt library: what the machine may ask for is there, and fit for a telephone.

use std::collections::BTreeSet;

use ivr::Prompt;
use tests::prompts::Library;
use tests::{tone, tool, wav};

const LANGUAGES: [&str; 2] = ["ru", "en"];

fn keys() -> BTreeSet<&'static str> {
    Prompt::ALL.iter().map(|prompt| prompt.key()).collect()
}

fn is_speech(key: &str) -> bool {
    !matches!(key, "beep" | "music")
}

/// Calls `check` with language, key and samples of each file.
fn each(check: impl Fn(&str, &str, &[i16])) {
    for language in LANGUAGES {
        let library = Library::read(language);
        for key in library.texts.keys() {
            check(language, key, &library.samples(key));
        }
    }
}

fn seconds(samples: &[i16]) -> f64 {
    samples.len() as f64 / f64::from(tone::RATE)
}

#[test]
fn every_prompt_of_the_script_is_in_every_manifest_and_no_other() {
    for language in LANGUAGES {
        let library = Library::read(language);
        let listed: BTreeSet<&str> = library.texts.keys().map(String::as_str).collect();
        assert_eq!(listed, keys(), "{language}");
    }
}

#[test]
fn every_file_is_listed_and_every_listed_file_is_there_in_the_one_format() {
    for language in LANGUAGES {
        let library = Library::read(language);
        let listed: BTreeSet<_> = library.files.values().cloned().collect();
        assert_eq!(listed.len(), keys().len(), "{language}: no two prompts share a file");
        let there: BTreeSet<_> = std::fs::read_dir(tool::repository().join("prompts").join(language))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wav"))
            .collect();
        assert_eq!(listed, there, "{language}");
        for file in listed {
            let wav = wav::read(&file);
            assert_eq!((wav.rate, wav.channels.len()), (8000, 1), "{}", file.display());
        }
    }
}

#[test]
fn what_is_spoken_has_a_text_and_what_is_not_has_none() {
    for language in LANGUAGES {
        for (key, text) in Library::read(language).texts {
            assert_eq!(is_speech(&key), !text.is_empty(), "{language} {key}");
        }
    }
}

#[test]
fn nothing_is_too_long_to_listen_to_or_too_short_to_hear() {
    each(|language, key, samples| {
        let range = match key {
            "music" => 20.0..30.0,
            "beep" => 0.4..1.0,
            key if key.len() == 1 => 0.2..0.7,
            _ => 1.5..18.0,
        };
        let length = seconds(samples);
        assert!(range.contains(&length), "{language} {key} lasts {length:.2} s, not {range:?}");
    });
}

#[test]
fn all_are_about_equally_loud_and_none_is_clipped() {
    each(|language, key, samples| {
        let level = tone::level(samples);
        assert!((-23.0..-19.0).contains(&level), "{language} {key}: {level:.1} dBFS");
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        // 23 197 is 3 dB below full scale.
        assert!(peak < 23_197, "{language} {key}: peak {peak}");
    });
}

#[test]
fn speech_begins_and_ends_at_once_and_without_a_click() {
    each(|language, key, samples| {
        if is_speech(key) {
            let (head, tail) = (&samples[..800], &samples[samples.len() - 1600..]);
            assert!(tone::level(head) > -50.0, "{language} {key} begins with silence");
            assert!(tone::level(tail) > -60.0, "{language} {key} ends with silence");
        }
        if key != "music" {
            let edges = [samples[0], samples[samples.len() - 1]];
            assert!(edges.iter().all(|edge| edge.abs() < 200), "{language} {key} clicks: {edges:?}");
        }
    });
}

#[test]
fn the_music_loops_without_a_seam() {
    each(|language, key, samples| {
        if key == "music" {
            let step = |pair: &[i16]| (i32::from(pair[1]) - i32::from(pair[0])).abs();
            let largest = samples.windows(2).map(step).max().unwrap();
            let seam = step(&[samples[samples.len() - 1], samples[0]]);
            assert!(seam <= largest / 2, "{language}: a step of {seam} at the seam, {largest} elsewhere");
            let second = tone::RATE as usize;
            let (end, start) = (&samples[samples.len() - second..], &samples[..second]);
            let jump = (tone::level(end) - tone::level(start)).abs();
            assert!(jump < 6.0, "{language}: {jump:.1} dB louder or softer across the seam");
        }
    });
}

#[test]
fn the_library_is_small_enough_for_a_repository() {
    let bytes: usize = LANGUAGES
        .iter()
        .flat_map(|language| Library::read(language).files.into_values())
        .map(|file| std::fs::read(file).unwrap().len())
        .sum();
    assert!(bytes < 6_000_000, "{bytes} bytes");
}
