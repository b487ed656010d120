//! The faults of API calls, seen, put in place and taken away.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::{Answer, Problem, answer, body, ok};
use crate::{fault::Fault, front::Front, services::Service};

pub(super) fn list(front: &Front) -> Response<Bytes> {
    ok(&json!({ "faults": front.faults.list() }))
}

pub(super) fn add(front: &Front, bytes: &[u8]) -> Answer {
    let fault: Fault = body(bytes)?;
    if !fault.place.contains('*') && Service::from_signing_name(&fault.place).is_none() {
        let names: Vec<&str> = Service::ALL.iter().map(|s| s.signing_name()).collect();
        return Err(Problem::bad(format!(
            "where: there is no `{}`; there are {} and *",
            fault.place,
            names.join(", ")
        )));
    }
    if fault
        .share
        .is_some_and(|share| !(0.0..=1.0).contains(&share))
    {
        return Err(Problem::bad("share: a number from 0 to 1"));
    }
    let id = front.faults.add(fault);
    Ok(answer(StatusCode::CREATED, &json!({ "id": id })))
}

pub(super) fn clear(front: &Front) -> Response<Bytes> {
    front.faults.clear();
    list(front)
}

pub(super) fn remove(front: &Front, id: &str) -> Answer {
    let removed = id.parse().is_ok_and(|id| front.faults.remove(id));
    if removed {
        Ok(list(front))
    } else {
        Err(Problem::new(
            StatusCode::NOT_FOUND,
            format!("there is no fault {id}"),
        ))
    }
}
