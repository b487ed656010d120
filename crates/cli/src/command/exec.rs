//! `emu exec`: this process becomes a program of a pod.

use std::{
    env,
    fs::File,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

use emu_cluster::sandbox::{Entrance, Invitation};
use miette::{IntoDiagnostic as _, WrapErr as _, miette};
use serde_json::{Value, json};

use crate::{args::ExecArgs, control, descriptor::Mailbox};

/// Asks the emulator for a pod, enters it and becomes the program.
pub(crate) fn run(args: &ExecArgs) -> miette::Result<ExitCode> {
    let (namespace, service_account) = args.service_account.split_once('/').ok_or_else(|| {
        miette!(
            help = "a namespace and a service account, as in shop/api",
            "`{}` names no service account",
            args.service_account
        )
    })?;
    let mailbox = Mailbox::new()
        .into_diagnostic()
        .wrap_err("a socket for the way onto the pod's clock cannot be made")?;
    let answer = control::post(
        args.at.addr,
        "/_emu/exec",
        &json!({
            "namespace": namespace, "serviceAccount": service_account, "cluster": args.cluster,
            "process": std::process::id(), "door": mailbox.path(),
        }),
    )?;
    let entrance: Entrance = serde_json::from_value(answer["entrance"].clone())
        .into_diagnostic()
        .wrap_err("the emulator's answer is not understood; is it of another version?")?;
    let invitation = invitation(&answer, &mailbox)?;
    // What follows does not return.
    drop(mailbox);
    let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    // All are opened before the first is entered: from within, the files of the others are out of reach.
    let files = entrance
        .namespaces
        .iter()
        .map(|path| {
            File::open(path)
                .into_diagnostic()
                .wrap_err_with(|| format!("{}", path.display()))
        })
        .collect::<miette::Result<Vec<File>>>()?;
    for file in &files {
        nix::sched::setns(file, nix::sched::CloneFlags::empty())
            .into_diagnostic()
            .wrap_err(
                "this process may not enter the pod; run it as the user who started the emulator",
            )?;
    }
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(miette!("no program to run"));
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    for (name, _) in env::vars_os() {
        // Keys in this shell would win over the pod's.
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.envs(&entrance.env);
    if let Some(invitation) = &invitation {
        invitation.prepare(&mut command);
    }
    let error = command.exec();
    Err(miette!("`{program}` cannot be run: {error}"))
}

/// The way onto the pod's clock, where the emulator has sent one.
fn invitation(answer: &Value, mailbox: &Mailbox) -> miette::Result<Option<Invitation>> {
    let tracer = answer["tracer"].as_u64().and_then(|id| id.try_into().ok());
    let Some(tracer) = tracer else {
        return Ok(None);
    };
    let door = mailbox
        .take()
        .into_diagnostic()
        .wrap_err("the way onto the pod's clock has not come")?;
    Ok(Some(Invitation::from_parts(door, tracer)))
}
