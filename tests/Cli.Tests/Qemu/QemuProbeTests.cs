using InterGuest.Cli.Qemu;
using InterGuest.Cli.Tests.Fakes;

namespace InterGuest.Cli.Tests.Qemu;

[Collection(ProcessCollection.Name)]
public class QemuProbeTests
{
    [Theory]
    [InlineData("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright", "7.2")]
    [InlineData("QEMU emulator version 10.0.13", "10.0")]
    [InlineData("bash: no such thing", null)]
    [InlineData("", null)]
    public void Versions(string output, string? version) => Assert.Equal(version, QemuProbe.Parse(output)?.ToString());

    [Fact]
    public async Task AProgramIsAsked()
    {
        using var directory = new TemporaryDirectory();
        string program = directory.Script("my qemu", "[ \"$1\" = --version ] && echo 'QEMU emulator version 8.1.2'");
        Assert.Equal(new Version(8, 1), await QemuProbe.VersionAsync(program, default));
    }

    [Fact]
    public async Task AProgramThatIsMissingOrSaysNothingHasNoVersion()
    {
        using var directory = new TemporaryDirectory();
        Assert.Null(await QemuProbe.VersionAsync(directory.Path("missing"), default));
        Assert.Null(await QemuProbe.VersionAsync(directory.Script("mute", "exit 1"), default));
        Assert.Null(await QemuProbe.VersionAsync(directory.Root, default));
        Assert.Null(await QemuProbe.VersionAsync("", default));
    }
}
