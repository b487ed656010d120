//! Emu's own image goes into a cluster's nodes while it comes up: they run long before its control plane answers.

use std::path::{Path, PathBuf};

use tokio::sync::Notify;

use super::{
    Error, Provider, Spec, cluster::LOAD, command::Commands, kind, open::strs, programs::Answer,
};
use crate::image;

/// Makes a cluster with `create`, and brings the image of this program into its nodes as soon as they run. The image's reference is
/// none where it did not go in: there is time for it later, and k3d brings images only into clusters that are complete.
pub(super) async fn create(
    commands: &Commands,
    spec: &Spec,
    create: &[String],
    program: Option<PathBuf>,
    line: &mut (dyn FnMut(&str) + Send),
) -> Result<(Answer, Option<String>), Error> {
    let program = program.filter(|_| spec.provider == Provider::Kind);
    let writing = program.map(|program| tokio::task::spawn_blocking(move || write(&program)));
    let run = Notify::new();
    let mut told = false;
    let mut line = |said: &str| {
        if kind::nodes_run(said) {
            told = true;
            run.notify_one();
        }
        line(said);
    };
    let load = async {
        run.notified().await;
        let (reference, folder) = writing?.await.ok()?.ok()?;
        let words = kind::load(&spec.name, &archive(folder.path()));
        let loaded = commands.run(&strs(&words), LOAD, &mut |_| {}).await;
        loaded
            .is_ok_and(|answer| answer.success)
            .then_some(reference)
    };
    tokio::pin!(load);
    let (answer, loaded) = {
        let words = strs(create);
        let creating = commands.run(&words, spec.limit, &mut line);
        tokio::pin!(creating);
        tokio::select! {
            answer = &mut creating => (answer?, None),
            loaded = &mut load => (creating.await?, Some(loaded)),
        }
    };
    let loaded = match loaded {
        Some(loaded) => loaded,
        None if answer.success && told => load.await,
        None => None,
    };
    Ok((answer, loaded))
}

/// The image of a program in an archive, with its reference.
fn write(program: &Path) -> Result<(String, tempfile::TempDir), image::Error> {
    let reference = image::emu_reference(program)?;
    let folder = tempfile::tempdir().map_err(|source| image::Error::File {
        path: std::env::temp_dir(),
        source,
    })?;
    image::emu(&reference, program)?.write_archive(&archive(folder.path()))?;
    Ok((reference, folder))
}

fn archive(folder: &Path) -> PathBuf {
    folder.join("emu.tar")
}
