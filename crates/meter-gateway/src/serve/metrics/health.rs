//! How the program is.

use std::fmt::Display;
use std::time::UNIX_EPOCH;

use meter_core::Decimal;

use super::meters::seconds;
use super::page::{Family, Kind, Page};
use crate::output;
use crate::run::MeterView;
use crate::serve::Glance;
use crate::{input, journal};

/// Writes everything about the program.
pub(super) fn write(glance: &Glance, page: &mut Page) {
    page.begin(gauge("meterline_build_info", "The version of the program."));
    page.sample(&[("version", &env!("CARGO_PKG_VERSION"))], 1);
    inputs(glance, page);
    outputs(glance, page);
    journal(&glance.snapshot.journal, page);
    page.begin(counter(
        "meterline_stored_readings",
        "Readings stored since the start.",
    ));
    page.sample(&[], glance.snapshot.stored);
    page.begin(Family {
        unit: Some("seconds"),
        ..gauge(
            "meterline_newest_reading_age_seconds",
            "Time since the newest reading of any meter.",
        )
    });
    let meters = glance.snapshot.meters.values();
    if let Some(age) = meters
        .filter_map(|meter: &MeterView| glance.age(meter))
        .min()
    {
        page.sample(&[], seconds(age));
    }
    page.begin(gauge(
        "meterline_clock_wrong",
        "1 while readings wait for a clock that is right.",
    ));
    page.sample(&[], u8::from(glance.snapshot.clock_wrong));
    page.begin(gauge(
        "meterline_config_refused",
        "1 while the file of the configuration is wrong and the former one goes on.",
    ));
    page.sample(&[], u8::from(glance.snapshot.bad_config.is_some()));
}

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family {
        name,
        kind: Kind::Gauge,
        unit: None,
        help,
    }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family {
        kind: Kind::Counter,
        ..gauge(name, help)
    }
}

const fn bytes(family: Family) -> Family {
    Family {
        unit: Some("bytes"),
        ..family
    }
}

fn inputs(glance: &Glance, page: &mut Page) {
    let inputs = &glance.snapshot.inputs;
    let mut each = |family, value: &dyn Fn(&input::Status) -> u64| {
        page.begin(family);
        for (name, status) in inputs {
            page.sample(&[("input", name)], value(status));
        }
    };
    each(
        gauge(
            "meterline_input_up",
            "1 while readings come from the input.",
        ),
        &|status| u64::from(status.state == input::State::Reading),
    );
    each(
        counter(
            "meterline_input_readings",
            "Readings that were found in the bytes of the input.",
        ),
        &|status| status.readings,
    );
    each(
        counter(
            "meterline_input_foreign_readings",
            "Readings of another meter than the one that is to be read.",
        ),
        &|status| status.foreign,
    );
    each(
        counter("meterline_input_opened", "How often the input was opened."),
        &|status| status.opened,
    );
    each(
        bytes(counter(
            "meterline_input_bytes",
            "Bytes that came from the input.",
        )),
        &|status| status.bytes,
    );
    page.begin(counter(
        "meterline_input_frames",
        "Frames by what they were: good, or why they were not taken.",
    ));
    for (name, status) in inputs {
        for (result, frames, _) in causes(status) {
            if let Some(frames) = frames {
                page.sample(&[("input", name), ("result", &result)], frames);
            }
        }
    }
    page.begin(bytes(counter(
        "meterline_input_frame_bytes",
        "Bytes by what they were part of: a good frame, one that was not taken, or none.",
    )));
    for (name, status) in inputs {
        for (result, _, bytes) in causes(status) {
            page.sample(&[("input", name), ("result", &result)], bytes);
        }
    }
}

/// What came of the bytes: frames, unless it is none, and bytes.
fn causes(status: &input::Status) -> [(&'static str, Option<u64>, u64); 7] {
    let counts = &status.counts;
    [
        ("good", Some(counts.frames), counts.frame_bytes),
        ("crc", Some(counts.crc), counts.crc_bytes),
        ("cut", Some(counts.cut), counts.cut_bytes),
        ("too_long", Some(counts.too_long), counts.too_long_bytes),
        ("invalid", Some(counts.invalid), counts.invalid_bytes),
        ("version_2", Some(counts.version_2), counts.version_2_bytes),
        ("noise", None, counts.noise_bytes),
    ]
}

fn outputs(glance: &Glance, page: &mut Page) {
    let outputs = &glance.snapshot.outputs;
    let mut each = |family, value: &dyn Fn(&output::Status) -> Option<Decimal>| {
        page.begin(family);
        for (name, status) in outputs {
            if let Some(value) = value(status) {
                page.sample(&[("output", name)], value);
            }
        }
    };
    let whole = |number| Some(Decimal::new(number, 0));
    each(
        counter(
            "meterline_output_delivered_readings",
            "Readings that the server has acknowledged.",
        ),
        &|status| whole(status.delivered),
    );
    each(
        counter(
            "meterline_output_rejected_readings",
            "Readings that the server refused for good, and that are set aside.",
        ),
        &|status| whole(status.rejected),
    );
    each(
        counter(
            "meterline_output_left_out_readings",
            "Readings that the configuration leaves out.",
        ),
        &|status| whole(status.left_out),
    );
    each(
        gauge(
            "meterline_output_backlog_readings",
            "Readings that are not delivered yet.",
        ),
        &|status| whole(status.backlog),
    );
    each(
        Family {
            unit: Some("seconds"),
            ..gauge(
                "meterline_output_backlog_age_seconds",
                "Age of the oldest reading that is not delivered yet.",
            )
        },
        &|status| {
            let age = glance.wall.millis_since(status.oldest?);
            u64::try_from(age).ok().map(|age| Decimal::new(age, -3))
        },
    );
    each(
        Family {
            unit: Some("seconds"),
            ..gauge(
                "meterline_output_last_success_timestamp_seconds",
                "When the server last acknowledged something, since 1970.",
            )
        },
        &|status| {
            Some(seconds(
                status.last_success?.duration_since(UNIX_EPOCH).ok()?,
            ))
        },
    );
    page.begin(gauge(
        "meterline_output_state",
        "1 for what the output is doing, 0 for the rest.",
    ));
    for (name, status) in outputs {
        for (state, is) in states(status.state) {
            page.sample(&[("output", name), ("state", &state)], u8::from(is));
        }
    }
}

fn states(state: output::State) -> [(&'static str, bool); 5] {
    use output::State::{Delivering, Idle, Misconfigured, Retrying, Starting};
    [
        ("starting", Starting),
        ("idle", Idle),
        ("delivering", Delivering),
        ("retrying", Retrying),
        ("misconfigured", Misconfigured),
    ]
    .map(|(name, of)| (name, of == state))
}

fn journal(status: &journal::Status, page: &mut Page) {
    let mut one = |family, value: u64| {
        page.begin(family);
        page.sample(&[], value);
    };
    one(
        bytes(gauge(
            "meterline_journal_bytes",
            "Bytes in use in the journal's file.",
        )),
        status.bytes,
    );
    one(
        gauge(
            "meterline_journal_up",
            "0 while the disk does not take what is to be stored.",
        ),
        u64::from(status.trouble.is_none()),
    );
    one(
        gauge(
            "meterline_journal_memory_rows",
            "Rows in memory, because the disk does not take them.",
        ),
        status.in_memory,
    );
    one(
        gauge(
            "meterline_journal_suspects",
            "Readings kept apart that nobody has judged yet.",
        ),
        status.suspects,
    );
    one(
        gauge(
            "meterline_journal_rejected",
            "Readings that are set aside because a server refused them.",
        ),
        status.rejected,
    );
    one(
        gauge(
            "meterline_journal_waiting",
            "Readings that wait for a clock that is right.",
        ),
        status.provisional,
    );
    page.begin(counter(
        "meterline_journal_lost_readings",
        "Readings that the journal had to give up over its whole life, by why.",
    ));
    let losses = status.losses;
    let losses: [(&dyn Display, u64); 5] = [
        (&"thinned", losses.thinned),
        (&"dropped", losses.dropped),
        (&"memory", losses.from_memory),
        (&"suspects", losses.suspects),
        (&"altered", losses.altered),
    ];
    for (cause, lost) in losses {
        page.sample(&[("cause", cause)], lost);
    }
}
