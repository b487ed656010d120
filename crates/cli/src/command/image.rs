//! `emu image`.

use std::process::ExitCode;

use emu_cluster::image;

use crate::{args::ImageArgs, output};

/// Writes emu's own image.
pub(crate) fn run(args: &ImageArgs) -> miette::Result<ExitCode> {
    let failed = |e: image::Error| miette::miette!("the image could not be written: {e}");
    let program =
        std::env::current_exe().map_err(|e| miette::miette!("this program is not found: {e}"))?;
    let reference = match &args.tag {
        Some(tag) => tag.clone(),
        None => image::emu_reference(&program).map_err(failed)?,
    };
    image::emu(&reference, &program)
        .and_then(|image| image.write_archive(&args.output))
        .map_err(failed)?;
    output::line(format_args!("{reference} is in {}", args.output.display()));
    Ok(ExitCode::SUCCESS)
}
