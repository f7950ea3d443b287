//! How the view looks. It fits into 80 columns and 24 lines with three meters, and uses more.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Paragraph, Sparkline, SparklineBar};

use super::view::{Arrival, Condition, Meter, Output, Tone, View};

const FROM_GRID: Color = Color::Yellow;
const INTO_GRID: Color = Color::Green;
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);

/// Lines of a meter's box, with its border.
const BOX: u16 = 4;

/// Below so many columns a meter's line has room for its power only.
const NARROW: u16 = 60;

/// The smallest full scale of the power bars, in watts.
const SMALLEST_SCALE: u64 = 1000;

/// Draws the whole view.
pub fn draw(view: &View, frame: &mut Frame<'_>) {
    let area = frame.area();
    let meters = u16::try_from(view.meters.len()).unwrap_or(u16::MAX);
    let outputs = u16::try_from(view.outputs.len() * 2).unwrap_or(u16::MAX);
    let outputs = if outputs == 0 {
        0
    } else {
        outputs.saturating_add(2)
    };
    // When the boxes do not fit beside the rest, each meter gets one line.
    let boxed = meters
        .saturating_mul(BOX)
        .saturating_add(outputs)
        .saturating_add(5)
        <= area.height;
    let meters_height = meters.saturating_mul(if boxed { BOX } else { 1 });
    let [header, meters_area, outputs_area, arrivals_area, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(meters_height),
        Constraint::Length(outputs),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_header(view, frame, header);
    draw_meters(view, frame, meters_area, if boxed { BOX } else { 1 });
    draw_outputs(&view.outputs, frame, outputs_area);
    draw_arrivals(view, frame, arrivals_area);
    frame.render_widget(Paragraph::new(view.footer.as_str()).style(FAINT), footer);
}

fn draw_header(view: &View, frame: &mut Frame<'_>, area: Rect) {
    let clock = u16::try_from(view.clock.chars().count()).unwrap_or(u16::MAX);
    let [title, _, right] = Layout::horizontal([
        Constraint::Min(0),
        Constraint::Length(1),
        Constraint::Length(clock),
    ])
    .areas(area);
    frame.render_widget(
        Paragraph::new(Span::from(view.title.as_str()).bold()),
        title,
    );
    frame.render_widget(
        Paragraph::new(view.clock.as_str()).alignment(Alignment::Right),
        right,
    );
}

fn draw_meters(view: &View, frame: &mut Frame<'_>, area: Rect, height: u16) {
    let values = view.meters.iter().flat_map(|meter| meter.history.iter());
    let scale = values
        .map(|watts| watts.unsigned_abs())
        .max()
        .unwrap_or(0)
        .max(SMALLEST_SCALE);
    let mut top = area.y;
    for meter in &view.meters {
        let row = Rect {
            y: top,
            height,
            ..area
        }
        .intersection(area);
        top = top.saturating_add(height);
        if row.height < height {
            return;
        }
        if height == 1 {
            draw_meter_line(meter, frame, row);
        } else {
            draw_meter_box(meter, scale, frame, row);
        }
    }
}

fn draw_meter_line(meter: &Meter, frame: &mut Frame<'_>, area: Rect) {
    let line = if area.width < NARROW {
        Line::from(vec![
            Span::from(format!("{:<17} ", meter.id)).bold(),
            power(meter),
        ])
    } else {
        Line::from(vec![
            Span::from(format!("{:<22}", meter.id)).bold(),
            power(meter),
            Span::from(format!("  {}", energy(meter))),
        ])
    };
    frame.render_widget(Paragraph::new(line), area);
}

fn draw_meter_box(meter: &Meter, scale: u64, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(FAINT)
        .title(Line::from(vec![
            Span::from(format!(" {} ", meter.id)).bold(),
            Span::from(format!("{} ", meter.model)),
        ]))
        .title(Line::from(format!(" {} ", readings(meter.readings))).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [upper, lower] = Layout::vertical([Constraint::Length(1); 2]).areas(inner);
    let [number, bar, _, curve] = Layout::horizontal([
        Constraint::Length(30),
        Constraint::Length(21),
        Constraint::Length(2),
        Constraint::Min(0),
    ])
    .areas(upper);
    let now = meter.watts.filter(|_| meter.silent.is_none());
    frame.render_widget(
        Paragraph::new(Line::from(vec![Span::from(" "), power(meter)])),
        number,
    );
    frame.render_widget(Paragraph::new(power_bar(now, scale, bar.width)), bar);
    frame.render_widget(sparkline(meter, curve.width, scale), curve);
    let mut text = vec![Span::from(format!(" {}", energy(meter)))];
    if let Some(note) = &meter.note {
        text.push(Span::from(format!("   {note}")).fg(Color::Yellow));
    }
    frame.render_widget(Paragraph::new(Line::from(text)), lower);
}

fn power(meter: &Meter) -> Span<'_> {
    if let Some(silent) = meter.silent {
        let power = meter.power.as_deref().unwrap_or("no power");
        return Span::from(format!("{power:>14}  {} s ago", silent.as_secs())).fg(Color::Red);
    }
    match (&meter.power, meter.watts) {
        (Some(power), Some(watts)) if watts < 0 => {
            Span::from(format!("{power:>14}  fed in")).fg(INTO_GRID)
        }
        (Some(power), _) => Span::from(format!("{power:>14}  drawn")).fg(FROM_GRID),
        (None, _) if meter.readings == 0 => Span::from("waiting for a reading").style(FAINT),
        (None, _) => Span::from("sends no power").style(FAINT),
    }
}

fn readings(count: u64) -> String {
    format!("{count} reading{}", if count == 1 { "" } else { "s" })
}

fn energy(meter: &Meter) -> String {
    let import = meter.import.as_ref().map(|value| format!("import {value}"));
    let export = meter.export.as_ref().map(|value| format!("export {value}"));
    [import, export]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("   ")
}

/// A bar that grows from the middle: to the left when feeding in, to the right when drawing.
fn power_bar(watts: Option<i64>, scale: u64, width: u16) -> Line<'static> {
    let half = usize::from(width.saturating_sub(1) / 2);
    let watts = watts.unwrap_or(0);
    let share = watts
        .unsigned_abs()
        .saturating_mul(half as u64)
        .div_ceil(scale.max(1));
    let filled = usize::try_from(share).unwrap_or(half).min(half);
    let (left, right) = if watts < 0 { (filled, 0) } else { (0, filled) };
    Line::from(vec![
        Span::from("·".repeat(half - left)).style(FAINT),
        Span::from("█".repeat(left)).fg(INTO_GRID),
        Span::from("│"),
        Span::from("█".repeat(right)).fg(FROM_GRID),
        Span::from("·".repeat(half - right)).style(FAINT),
    ])
}

fn sparkline(meter: &Meter, width: u16, scale: u64) -> Sparkline<'static> {
    let skip = meter.history.len().saturating_sub(usize::from(width));
    let bars: Vec<SparklineBar> = meter
        .history
        .iter()
        .skip(skip)
        .map(|watts| {
            let color = if *watts < 0 { INTO_GRID } else { FROM_GRID };
            // Zero still shows as the lowest mark: there was a reading.
            SparklineBar::from(watts.unsigned_abs().max(scale / 8)).style(Style::from(color))
        })
        .collect();
    Sparkline::default().data(bars).max(scale)
}

fn draw_outputs(outputs: &[Output], frame: &mut Frame<'_>, area: Rect) {
    if outputs.is_empty() {
        return;
    }
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(FAINT)
        .title(" deliveries ");
    let lines: Vec<Line<'_>> = outputs.iter().flat_map(output_lines).collect();
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn output_lines(output: &Output) -> [Line<'_>; 2] {
    let color = match output.condition {
        Condition::Starting => Color::Reset,
        Condition::Good => Color::Green,
        Condition::Retrying => Color::Red,
    };
    let width = 20;
    let filled = (output.backlog * width)
        .checked_div(output.worst_backlog)
        .unwrap_or(0);
    let filled = usize::try_from(filled.min(width)).unwrap_or(0);
    [
        Line::from(vec![
            Span::from(" ● ").fg(color),
            Span::from(output.name.as_str()).bold(),
            Span::from(format!("  {}  ", output.target)),
            Span::from(output.state.as_str()).fg(color),
        ]),
        Line::from(vec![
            Span::from(format!(
                "   delivered {:<8} backlog {:<6} ",
                output.delivered, output.backlog
            )),
            Span::from("█".repeat(filled)).fg(Color::Red),
        ]),
    ]
}

fn draw_arrivals(view: &View, frame: &mut Frame<'_>, area: Rect) {
    if view.arrivals_title.is_empty() || area.height < 2 {
        return;
    }
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(FAINT)
        .title(format!(" {} ", view.arrivals_title));
    let inner = block.inner(area);
    let room = usize::from(inner.height);
    let mut lines = Vec::new();
    for arrival in view.arrivals.iter().rev() {
        let more = arrival_lines(arrival, usize::from(inner.width));
        if !lines.is_empty() && more.len() + lines.len() > room {
            break;
        }
        lines.splice(..0, more);
    }
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// What happened, in as many lines as it needs: the end of a message says what to do.
fn arrival_lines(arrival: &Arrival, width: usize) -> Vec<Line<'static>> {
    let time = format!(" {}  ", arrival.time);
    let indent = time.chars().count();
    let texts = wrapped(&arrival.text, width.saturating_sub(indent + 1));
    let line = |(index, text): (usize, String)| {
        let before = if index == 0 {
            time.clone()
        } else {
            " ".repeat(indent)
        };
        let text = match arrival.tone {
            Tone::Plain => Span::from(text),
            Tone::Good => Span::from(text).fg(Color::Green),
            Tone::Bad => Span::from(text).fg(Color::Red),
        };
        Line::from(vec![Span::from(before).style(FAINT), text])
    };
    texts.into_iter().enumerate().map(line).collect()
}

/// The text in lines of `width` characters, broken at spaces; a longer word has its own line.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let length = line.chars().count();
        if length == 0 {
            line.push_str(word);
        } else if length + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::view::{Arrival, Condition, Meter, Output, View};
    use super::draw;

    fn view(meters: usize) -> View {
        let mut meter = Meter {
            id: "1 ESY11 6223 2997".to_owned(),
            model: "EasyMeter Q3A".to_owned(),
            power: Some("-810.26 W".to_owned()),
            import: Some("2941646.1614 Wh".to_owned()),
            export: Some("110073.1603 Wh".to_owned()),
            readings: 7,
            ..Meter::default()
        };
        for watts in [200, 400, -300, -810] {
            meter.push_watts(watts);
        }
        let mut view = View {
            title: "meterline demo".to_owned(),
            clock: "0:07 of 0:30".to_owned(),
            meters: vec![meter; meters],
            outputs: vec![Output {
                name: "demo".to_owned(),
                target: "https://127.0.0.1:4433".to_owned(),
                condition: Condition::Retrying,
                state: "retrying in 2 s".to_owned(),
                delivered: 5,
                backlog: 2,
                worst_backlog: 4,
            }],
            arrivals_title: "arrived at the server".to_owned(),
            footer: "q quits".to_owned(),
            ..View::default()
        };
        view.push_arrival(Arrival {
            time: "12:00:01".to_owned(),
            text: "3 readings".to_owned(),
            ..Arrival::default()
        });
        view
    }

    fn screen(view: &View, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(view, frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn everything_is_on_a_screen_of_80_by_24() {
        let screen = screen(&view(3), 80, 24);
        for text in [
            "meterline demo",
            "0:07 of 0:30",
            "1 ESY11 6223 2997",
            "EasyMeter Q3A",
            "-810.26 W  fed in",
            "import 2941646.1614 Wh",
            "export 110073.1603 Wh",
            "7 readings",
            "delivered 5",
            "backlog 2",
            "retrying in 2 s",
            "3 readings",
            "q quits",
        ] {
            assert!(screen.contains(text), "{text:?} is missing in\n{screen}");
        }
    }

    #[test]
    fn a_long_message_is_shown_to_its_end() {
        let mut view = view(1);
        view.push_arrival(Arrival {
            time: "12:00:02".to_owned(),
            text: "no such device /dev/ttyUSB7; no serial port is plugged in: check the USB cable \
                   (in a container: pass the device in with --device)"
                .to_owned(),
            ..Arrival::default()
        });
        let screen = screen(&view, 60, 24);
        assert!(screen.contains("12:00:02  no such device"), "{screen}");
        assert!(screen.contains("with --device)"), "{screen}");
    }

    #[test]
    fn a_small_screen_has_the_clock_the_power_and_the_keys() {
        let screen = screen(&view(3), 40, 12);
        for text in [
            "meterline demo",
            " 0:07 of 0:30",
            "1 ESY11 6223 2997",
            "-810.26 W  fed in",
            "q quits",
        ] {
            assert!(screen.contains(text), "{text:?} is missing in\n{screen}");
        }
    }

    #[test]
    fn an_old_value_does_not_look_like_a_new_one() {
        let mut view = view(1);
        view.meters[0].silent = Some(Duration::from_secs(12));
        let screen = screen(&view, 80, 24);
        assert!(screen.contains("-810.26 W  12 s ago"), "{screen}");
        assert!(!screen.contains("fed in"), "{screen}");
    }

    #[test]
    fn many_meters_get_a_line_each() {
        let screen = screen(&view(10), 80, 24);
        assert_eq!(screen.matches("1 ESY11 6223 2997").count(), 10, "{screen}");
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(1, 1), (3, 2), (20, 5), (60, 12), (300, 100)] {
            screen(&view(3), width, height);
        }
    }
}
