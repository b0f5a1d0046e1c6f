//! The measurement as a picture: two panels, calls to the right, a line for each relay.

use std::fmt::Write as _;

use super::report::{Report, Step, counted};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
/// Between the panels' frames; the axis below the upper one is in it.
const GAP: f64 = 50.0;
const TOP: f64 = 92.0;
const HEIGHT: f64 = 230.0;
/// Told apart by people who see no red or no green as well (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];

/// What a panel shows.
struct Panel {
    title: &'static str,
    value: fn(&Step) -> f64,
    top: f64,
    /// Shown at least, so that noise is not blown up.
    least: f64,
}

/// The picture, as SVG.
pub(super) fn svg(report: &Report) -> String {
    let bottom = TOP + HEIGHT + GAP + HEIGHT;
    let mut out = String::new();
    let height = bottom + 60.0;
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>"
    );
    let workers = counted(report.workers.into(), "worker");
    let title = format!("Relaying G.711 by {}, {workers}, {} s a step", report.wire, report.seconds);
    text(&mut out, (LEFT, 28.0), "start", 17, &title);
    legend(&mut out, report);
    let most = report.relays.iter().flat_map(|relay| &relay.steps).map(|step| step.calls).max().unwrap_or(0);
    let calls = Axis::new(f64::from(most.max(1)), 8);
    let upper =
        Panel { title: "CPU per packet, µs", value: |step| step.cpu_us_per_packet, top: TOP, least: 1.0 };
    let lower = Panel {
        title: "packets lost, %",
        value: |step| step.loss_percent,
        top: TOP + HEIGHT + GAP,
        least: 1.0,
    };
    for panel in [upper, lower] {
        draw(&mut out, report, &panel, &calls);
    }
    text(
        &mut out,
        ((LEFT + WIDTH - RIGHT) / 2.0, bottom + 46.0),
        "middle",
        13,
        &format!("calls (each {} packets a second both ways)", report.rate),
    );
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String, report: &Report) {
    let (mut x, mut y) = (LEFT, 50.0);
    for (place, relay) in report.relays.iter().enumerate() {
        let label = if relay.version.starts_with(relay.name) {
            relay.version.clone()
        } else {
            format!("{} ({})", relay.name, relay.version)
        };
        // As wide as letters of this size can be, or it would run into the next.
        let width = 60.0 + label.chars().count() as f64 * 8.2;
        if x > LEFT && x + width > WIDTH {
            (x, y) = (LEFT, y + 20.0);
        }
        line(out, (x, y), (x + 28.0, y), COLOURS[place % COLOURS.len()], 2.5);
        mark(out, (x + 14.0, y), place);
        text(out, (x + 36.0, y + 5.0), "start", 13, &label);
        x += width;
    }
}

fn draw(out: &mut String, report: &Report, panel: &Panel, calls: &Axis) {
    let steps = || report.relays.iter().flat_map(|relay| &relay.steps);
    let values = Axis::new(steps().map(panel.value).fold(panel.least, f64::max), 5);
    let bottom = panel.top + HEIGHT;
    let x = |calls_there: f64| LEFT + (WIDTH - LEFT - RIGHT) * calls_there / calls.end;
    let y = |value: f64| bottom - HEIGHT * value / values.end;
    for tick in values.ticks() {
        line(out, (LEFT, y(tick)), (WIDTH - RIGHT, y(tick)), "#dddddd", 1.0);
        text(out, (LEFT - 8.0, y(tick) + 4.5), "end", 12, &values.label(tick));
    }
    for tick in calls.ticks() {
        line(out, (x(tick), panel.top), (x(tick), bottom), "#eeeeee", 1.0);
        text(out, (x(tick), bottom + 18.0), "middle", 12, &calls.label(tick));
    }
    line(out, (LEFT, bottom), (WIDTH - RIGHT, bottom), "#333333", 1.5);
    line(out, (LEFT, panel.top), (LEFT, bottom), "#333333", 1.5);
    let middle = (panel.top + bottom) / 2.0;
    let _ = writeln!(
        out,
        "<text x=\"24\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 24 {middle})\">{}</text>",
        escaped(panel.title)
    );
    for (place, relay) in report.relays.iter().enumerate() {
        let mut points: Vec<(f64, f64)> = relay
            .steps
            .iter()
            .map(|step| (x(f64::from(step.calls)), y((panel.value)(step).max(0.0))))
            .collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let colour = COLOURS[place % COLOURS.len()];
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
            path.join(" ")
        );
        points.into_iter().for_each(|point| mark(out, point, place));
    }
}

/// A point of a relay: another shape for each, besides the colour.
fn mark(out: &mut String, (x, y): (f64, f64), place: usize) {
    let colour = COLOURS[place % COLOURS.len()];
    let _ = match place % 3 {
        0 => writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{colour}\"/>"),
        1 => writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\" fill=\"{colour}\"/>",
            x - 4.0,
            y - 4.0
        ),
        _ => writeln!(
            out,
            "<polygon points=\"{x:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\" fill=\"{colour}\"/>",
            y - 5.5,
            x - 5.0,
            y + 4.0,
            x + 5.0,
            y + 4.0
        ),
    };
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
    let _ = writeln!(
        out,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-width=\"{width}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(out: &mut String, at: (f64, f64), anchor: &str, size: u8, words: &str) {
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"#222222\">{}</text>",
        at.0,
        at.1,
        escaped(words)
    );
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// From nothing to a round number, in round steps.
struct Axis {
    end: f64,
    step: f64,
}

impl Axis {
    /// That has `most` on it, in about so many steps.
    fn new(most: f64, steps: u8) -> Self {
        let rough = most / f64::from(steps);
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|part| part * power).into_iter().find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(power * 10.0);
        Self { end: (most / step - 1e-9).ceil() * step, step }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let count = (self.end / self.step).round() as u32;
        (0..=count).map(|tick| f64::from(tick) * self.step)
    }

    fn label(&self, tick: f64) -> String {
        let digits = (-self.step.log10().floor()).max(0.0) as usize;
        format!("{tick:.digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::report;
    use super::*;

    #[test]
    fn axes_end_and_step_at_round_numbers() {
        for (most, steps, end, step) in [
            (1000.0, 8, 1000.0, 200.0),
            (1.0, 5, 1.0, 0.2),
            (13.6, 5, 15.0, 5.0),
            (0.03, 5, 0.03, 0.01),
            (5.0, 8, 5.0, 1.0),
        ] {
            let axis = Axis::new(most, steps);
            assert!(
                (axis.end - end).abs() < 1e-9 && (axis.step - step).abs() < 1e-9,
                "{most}: {} {}",
                axis.end,
                axis.step
            );
            assert!(axis.ticks().count() <= 10);
        }
        assert_eq!(Axis::new(1.0, 5).label(0.2), "0.2");
        assert_eq!(Axis::new(1000.0, 8).label(400.0), "400");
    }

    /// Every element is closed in its turn, every attribute quoted, and nothing stands where XML does not let it.
    fn is_well_formed(text: &str) {
        let mut open = Vec::new();
        let mut rest = text;
        while let Some((before, tag)) = rest.split_once('<') {
            assert!(!before.contains('>'), "{before}");
            for entity in before.split('&').skip(1) {
                assert!(
                    ["amp;", "lt;", "gt;", "quot;"].iter().any(|name| entity.starts_with(name)),
                    "{before}"
                );
            }
            let (tag, after) = tag.split_once('>').expect("a tag ends");
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
                continue;
            }
            let (tag, alone) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let name = tag.split(' ').next().expect("a name");
            let quoted: Vec<&str> = tag[name.len()..].split('"').collect();
            assert!(quoted.len() % 2 == 1, "{tag}");
            assert!(quoted.iter().step_by(2).rev().skip(1).all(|part| part.ends_with('=')), "{tag}");
            if !alone {
                open.push(name);
            }
        }
        assert_eq!((open, rest.trim()), (Vec::new(), ""));
    }

    #[test]
    fn the_picture_is_well_formed_and_has_a_line_for_each_relay_in_each_panel() {
        let picture = svg(&report());
        is_well_formed(&picture);
        assert_eq!(picture.matches("<polyline").count(), 4);
        assert!(picture.contains("epoll &lt;1&gt; &amp; &quot;2&quot;"));
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    }

    #[test]
    fn every_point_lies_inside_its_panel() {
        let picture = svg(&report());
        for (place, line) in picture.lines().filter(|line| line.starts_with("<polyline")).enumerate() {
            let top = if place < 2 { TOP } else { TOP + HEIGHT + GAP };
            let points = line.split('"').nth(1).expect("points");
            for (x, y) in points.split(' ').map(|point| point.split_once(',').unwrap()) {
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (top..=top + HEIGHT).contains(&y), "{line}");
            }
        }
    }

    #[test]
    fn nothing_measured_is_a_picture_too() {
        let mut report = report();
        report.relays.clear();
        is_well_formed(&svg(&report));
    }
}
