namespace InterGuest.Cli.Qemu;

/// <summary>One option of QEMU and its value: -m 512M.</summary>
internal readonly record struct QemuOption(string Flag, string Value);
