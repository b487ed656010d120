//! `advance`, `advanceTo`, `step`: the clock.

use std::time::Duration;

use emu_core::{Entry, Event, Span, Timestamp};

use crate::{
    file::Located,
    run::{Observation, Play, Trouble},
};

pub(super) async fn advance(play: &mut Play, by: Span) -> Result<Observation, Trouble> {
    play.world.advance(by.get()).await?;
    Ok(Observation::done())
}

/// `token.rotation`, `token.expiry + 1m`, `agent.renewal`, `credentials.expiry - 10m`.
pub(super) async fn advance_to(
    play: &mut Play,
    moment: &Located<String>,
) -> Result<Observation, Trouble> {
    let (name, shift) = split(moment)?;
    let entries = play.world.journal().since(0);
    let at = match name {
        "token.rotation" => {
            token(&entries, false).map(|(issued, expires)| fraction(issued, expires, 0.8))
        }
        // Of the token minted first: that is what a client holds that read it once.
        "token.expiry" => token(&entries, true).map(|(_, expires)| expires),
        "credentials.expiry" => session(&entries).map(|(_, expires)| expires),
        "agent.renewal" => session(&entries).map(|(issued, expires)| {
            let renewal = play
                .world
                .settings()
                .agent
                .max_credential_retention_before_renewal
                .get();
            // The sweep comes once a minute, so the renewal is done at the latest a minute after it is due.
            shifted(issued, renewal.as_nanos() as i128 + 61_000_000_000).min(expires)
        }),
        _ => {
            return Err(Trouble::new(format!("`{name}` is no moment"))
                .at(moment)
                .help("token.rotation, token.expiry, agent.renewal or credentials.expiry, with `+ 1m` or `- 10m` after it"));
        }
    };
    let at = at.ok_or_else(|| {
        Trouble::new(format!(
            "there is no {name} to advance to: nothing of the kind was issued yet"
        ))
        .at(moment)
    })?;
    let target = shifted(at, shift);
    let by = target.as_nanosecond() - play.world.now().as_nanosecond();
    // A moment that has passed is reached.
    if let Ok(nanos) = u64::try_from(by) {
        // A little more, so that what is due exactly then is done.
        play.world
            .advance(Duration::from_nanos(nanos) + Duration::from_secs(1))
            .await?;
    }
    Ok(Observation::done())
}

pub(super) async fn step_wall(
    play: &mut Play,
    delta: &Located<String>,
) -> Result<Observation, Trouble> {
    let nanos = signed(delta.trim()).ok_or_else(|| {
        Trouble::new(format!("`{delta}` is no step of the clock"))
            .at(delta)
            .help("a duration with a sign, such as -2h")
    })?;
    play.world
        .step_wall(i64::try_from(nanos).unwrap_or(i64::MAX))
        .await?;
    Ok(Observation::done())
}

fn split(moment: &Located<String>) -> Result<(&str, i128), Trouble> {
    let text = moment.value.as_str();
    match text.find(['+', '-']) {
        None => Ok((text.trim(), 0)),
        Some(place) => {
            let (name, shift) = text.split_at(place);
            let shift = signed(&shift.replace(' ', "")).ok_or_else(|| {
                Trouble::new(format!("`{shift}` is no shift of a moment"))
                    .at(moment)
                    .help("a sign and a duration, such as `+ 1m`")
            })?;
            Ok((name.trim(), shift))
        }
    }
}

/// `-2h` in nanoseconds.
pub(crate) fn signed(text: &str) -> Option<i128> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let span: Span = rest.trim().parse().ok()?;
    Some(sign * i128::try_from(span.get().as_nanos()).ok()?)
}

fn shifted(at: Timestamp, nanos: i128) -> Timestamp {
    Timestamp::from_nanosecond(at.as_nanosecond().saturating_add(nanos)).unwrap_or(at)
}

fn fraction(from: Timestamp, to: Timestamp, share: f64) -> Timestamp {
    let life = (to.as_nanosecond() - from.as_nanosecond()) as f64;
    shifted(from, (life * share) as i128)
}

fn token(entries: &[std::sync::Arc<Entry>], first: bool) -> Option<(Timestamp, Timestamp)> {
    let mut tokens = entries.iter().filter_map(|entry| match &entry.event {
        Event::TokenIssued {
            audience,
            issued_at,
            expires_at,
            ..
        } if audience == emu_cloud::eks_auth::AUDIENCE => Some((*issued_at, *expires_at)),
        _ => None,
    });
    if first {
        tokens.next()
    } else {
        tokens.next_back()
    }
}

fn session(entries: &[std::sync::Arc<Entry>]) -> Option<(Timestamp, Timestamp)> {
    entries.iter().rev().find_map(|entry| match &entry.event {
        Event::SessionIssued {
            source,
            issued_at,
            expires_at,
            ..
        } if source == "pod-identity" => Some((*issued_at, *expires_at)),
        _ => None,
    })
}
