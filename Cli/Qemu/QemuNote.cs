namespace InterGuest.Cli.Qemu;

/// <summary>What a person should know about the arguments.</summary>
/// <param name="Text">One line.</param>
/// <param name="Always">Said to scripts, too; otherwise only on a terminal.</param>
internal sealed record QemuNote(string Text, bool Always);
