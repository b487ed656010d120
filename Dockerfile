# Emu in a container: cargo build --release && docker build -t emu . && docker run -p 4566:4566 emu
# `emu image -o emu.tar` writes the same without Docker.
FROM debian:bookworm-slim
COPY target/release/emu /usr/bin/emu
EXPOSE 4566
ENTRYPOINT ["/usr/bin/emu"]
CMD ["up", "--addr", "0.0.0.0:4566"]
