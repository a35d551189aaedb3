namespace InterGuest.Cli.Qemu;

/// <summary>What the arguments depend on besides the port.</summary>
/// <param name="Memory">As -m takes it, with a unit.</param>
/// <param name="Kvm">KVM, or software emulation (tcg).</param>
/// <param name="Version">QEMU's.</param>
/// <param name="PlainFrames">Offer the guest no receive offloads.</param>
internal sealed record QemuSettings(string Memory, bool Kvm, Version Version, bool PlainFrames = false);
