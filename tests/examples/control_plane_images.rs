//! Writes one archive with the images of a Kubernetes control plane, made from scratch of programs on this machine.
//!
//! ```sh
//! kubeadm config images list | cargo run -p emu-tests --example control_plane_images -- FOLDER ARCHIVE
//! ```
//!
//! The images' names are read from standard input, one a line; the programs are in FOLDER. An image whose program is not there
//! (coredns) is left out. kube-proxy's takes the machine's `iptables` along.

use std::{
    error::Error,
    io::BufRead,
    path::{Path, PathBuf},
};

use emu_cluster::image::{self, Entry, Image};

/// The packet filter: one program under many names.
const FILTER: &str = "/usr/sbin/xtables-nft-multi";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(archive)) = (arguments.next(), arguments.next()) else {
        return Err("usage: control_plane_images FOLDER ARCHIVE < NAMES".into());
    };
    let mut images = Vec::new();
    for name in std::io::stdin().lock().lines() {
        let name = name?;
        let program = program(&name);
        let local = folder.join(program);
        let image = match program {
            "pause" => image::pause(&name),
            _ if !local.exists() => {
                eprintln!("left out: {name}");
                continue;
            }
            "kube-proxy" => packet_filter(of(&name, &local, program)?)?,
            _ => of(&name, &local, program)?,
        };
        images.push(image);
    }
    image::write_archive(&archive, &images)?;
    Ok(())
}

/// What an image is called without its registry and tag.
fn program(name: &str) -> &str {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split(':').next().unwrap_or(last)
}

fn of(name: &str, local: &Path, program: &str) -> Result<Image, image::Error> {
    let path = format!("/usr/local/bin/{program}");
    Ok(Image::new(name).program(local, &path)?.entrypoint([path]))
}

/// Adds `iptables` with its extensions, which are libraries that it loads by name.
fn packet_filter(mut image: Image) -> Result<Image, Box<dyn Error>> {
    image = image.program(FILTER.as_ref(), FILTER)?;
    for version in ["iptables", "ip6tables"] {
        for rest in ["", "-save", "-restore"] {
            let target = FILTER.to_owned();
            image = image.entry(
                &format!("/usr/sbin/{version}{rest}"),
                Entry::Link { target },
            );
        }
    }
    let multiarch = format!("/usr/lib/{}-linux-gnu/xtables", std::env::consts::ARCH);
    for extension in std::fs::read_dir(multiarch)? {
        let source = extension?.path().canonicalize()?;
        let path = source.to_string_lossy().into_owned();
        image = image.entry(
            &path,
            Entry::Copy {
                source,
                mode: 0o644,
            },
        );
    }
    Ok(image.entry("/run", Entry::Folder { mode: 0o755 }))
}
