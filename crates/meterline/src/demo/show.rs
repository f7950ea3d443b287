//! The demo, shown: live on a terminal, in plain lines anywhere else.

use std::io::{self, Write as _};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::OUTPUT;
use super::ledger::Balance;
use super::scene::{News, Plan, Scene};
use crate::event_loop::interrupted;
use crate::live;
use crate::logging;
use crate::paint::Paint;
use crate::screen::{Arrival, Output, Screen, Tone, View, Wish};

/// How often something is looked at.
const FRAME: Duration = Duration::from_millis(200);

/// On the terminal, until the end or until somebody has seen enough.
pub async fn on_screen(
    scene: &mut Scene,
    plan: &Plan,
    mut log: UnboundedReceiver<logging::Line>,
    paint: Paint,
) -> io::Result<()> {
    let mut screen = Screen::open(paint)?;
    let mut interrupt = pin!(interrupted());
    let mut frames = tokio::time::interval(FRAME);
    let mut view = View {
        title: format!(
            "meterline demo: simulated meters, real gateway, real {}",
            plan.output.there()
        ),
        outputs: vec![Output {
            name: OUTPUT.to_owned(),
            target: scene.goal().address.clone(),
            ..Output::default()
        }],
        arrivals_title: format!("{}, times in UTC", plan.output.arrived()),
        ..View::default()
    };
    while !is_over(scene, plan) {
        let news = scene.step().await;
        tell(&mut view, &news);
        while let Ok(line) = log.try_recv() {
            view.push_arrival(live::log_line(line));
        }
        refresh(&mut view, scene, plan);
        screen.show(&view)?;
        tokio::select! {
            _ = frames.tick() => {}
            wish = screen.wish() => if wish == Wish::Quit { break },
            () = &mut interrupt => break,
        }
    }
    Ok(())
}

fn is_over(scene: &Scene, plan: &Plan) -> bool {
    plan.time.is_some_and(|time| scene.elapsed() >= time) || scene.has_failed()
}

fn refresh(view: &mut View, scene: &Scene, plan: &Plan) {
    let elapsed = live::elapsed(scene.elapsed());
    view.clock = match plan.time {
        Some(time) => format!("{elapsed} of {}", live::elapsed(time)),
        None => elapsed,
    };
    let snapshot = scene.snapshot();
    live::meters(view, &snapshot, |server_id| scene.title(server_id));
    if let (Some(output), Some(status)) = (view.outputs.first_mut(), snapshot.outputs.get(OUTPUT)) {
        live::output(output, status);
        // The gateway renews its numbers once a second, the books are up to date.
        output.delivered = scene.balance().arrived;
        output.backlog = scene.balance().missing();
        output.worst_backlog = output.worst_backlog.max(output.backlog);
        if let Some(left) = scene.away_for() {
            output.state = format!("the server is AWAY for {} s more", left.as_secs() + 1);
        }
    }
    let Balance {
        sent,
        arrived,
        duplicates,
        wrong,
    } = scene.balance();
    let verb = plan.output.arrived();
    view.footer = format!(
        "q quits   sent {sent}  {verb} {arrived}  on the way {}  wrong {wrong}  duplicates {duplicates}",
        scene.balance().missing()
    );
}

/// What happened, as lines of the list.
fn tell(view: &mut View, news: &News) {
    let time = live::now();
    let mut push = |text: String, tone| {
        view.push_arrival(Arrival {
            time: time.clone(),
            text,
            tone,
        });
    };
    match news.server {
        Some(true) => push("the server goes away".to_owned(), Tone::Bad),
        Some(false) => push("the server is back".to_owned(), Tone::Good),
        None => {}
    }
    for (count, meters) in &news.arrivals {
        let tone = if *count > 1 { Tone::Good } else { Tone::Plain };
        push(
            format!("{} of {}", readings(*count as u64), meters.join(", ")),
            tone,
        );
    }
    if news.acknowledged > 0 {
        push(readings(news.acknowledged), Tone::Plain);
    }
    if news.wrong > 0 {
        push(format!("{} that no meter has sent", news.wrong), Tone::Bad);
    }
    if news.duplicates > 0 {
        push(
            format!("{} for the second time", news.duplicates),
            Tone::Plain,
        );
    }
}

fn readings(count: u64) -> String {
    let noun = if count == 1 { "reading" } else { "readings" };
    format!("{count} {noun}")
}

/// A line for each second, and one for each event.
pub async fn as_lines(scene: &mut Scene, plan: &Plan) -> io::Result<()> {
    let mut interrupt = pin!(interrupted());
    let mut frames = tokio::time::interval(FRAME);
    let mut second = 0;
    let (to, verb) = (&scene.goal().address, plan.output.arrived());
    say(&format!("{}, {} {to}", plan.meters(), plan.output.there()))?;
    while !is_over(scene, plan) {
        let news = scene.step().await;
        let elapsed = live::elapsed(scene.elapsed());
        match news.server {
            Some(true) => say(&format!("{elapsed}  the server goes away"))?,
            Some(false) => say(&format!("{elapsed}  the server is back"))?,
            None => {}
        }
        if scene.elapsed().as_secs() > second {
            second = scene.elapsed().as_secs();
            let Balance {
                sent,
                arrived,
                duplicates,
                wrong,
            } = scene.balance();
            let waiting = scene.balance().missing();
            say(&format!(
                "{elapsed}  sent {sent}  {verb} {arrived}  waiting {waiting}  wrong {wrong}  duplicates {duplicates}"
            ))?;
        }
        tokio::select! {
            _ = frames.tick() => {}
            () = &mut interrupt => break,
        }
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
