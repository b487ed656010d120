//! Starting and ending.

use std::time::Instant;

use emu_cluster::{image::Image, node::Node};

use crate::{Outcome, block_on, config, host};

/// The image of this program.
pub(crate) const SELF_IMAGE: &str = "emu.local/self:1";

/// Writes an archive with this program as an image.
pub(crate) fn self_image(path: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    Image::new(SELF_IMAGE)
        .program(&std::env::current_exe()?, "/self")?
        .entrypoint(["/self", "role"])
        .write_archive(path)?;
    Ok(())
}

pub(crate) fn starts_and_leaves_nothing() -> Outcome {
    block_on(async {
        let root = tempfile::tempdir()?;
        let before = host::state(root.path());
        let archive = root.path().join("self.tar");
        let began = Instant::now();
        self_image(&archive)?;
        println!("image written after {:.2} s", began.elapsed().as_secs_f64());
        let mut config = config()?;
        config.run_root = root.path().to_owned();
        config.images.push(archive);
        let node = Node::start(config).await?;
        for (mark, time) in node.timings().marks() {
            println!("{mark:12} {:.2} s", time.as_secs_f64());
        }
        let took = node.stop().await?;
        println!("teardown     {:.2} s", took.as_secs_f64());
        let after = host::state(root.path());
        let difference = host::difference(&before, &after);
        if !difference.is_empty() {
            return Err(format!("the host is not as it was:\n{difference}").into());
        }
        Ok(())
    })?
}
