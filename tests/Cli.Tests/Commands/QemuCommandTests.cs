using System.Text.Json;
using InterGuest.Cli.Tests.Fakes;

namespace InterGuest.Cli.Tests.Commands;

[Collection(ProcessCollection.Name)]
public sealed class QemuCommandTests : SwitchTest, IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task ArgumentsAreLinesThatAShellJoins()
    {
        Control.Ports.Add(Samples.Running("a"));
        string output =
            await Cli().OutputAsync("qemu", "a", "--accel", "kvm", "--memory", "1G", "--qemu", Qemu("7.2.22"));
        string[] lines = output.TrimEnd('\n').Split('\n');
        Assert.All(lines[..^1], line => Assert.EndsWith(" \\", line));
        Assert.Equal("-accel kvm \\", lines[0]);
        Assert.Equal("-m 1G \\", lines[1]);
        Assert.StartsWith("-chardev socket,id=a-char,path=/run/interguest/a.sock,reconnect=1 \\", lines[4]);
        Assert.Contains(",mq=on,vectors=6,", lines[^1]);
    }

    [Fact]
    public async Task TheNoteOnMsixIsForPeople()
    {
        Control.Ports.Add(Samples.Running("a"));
        string[] arguments = ["qemu", "a", "--accel", "tcg", "--qemu", Qemu("7.2.22")];
        Assert.Contains("vectors=0", await Cli().OutputAsync(arguments)); // and nothing on standard error
        var terminal = new CliRun { IsTerminal = true, Variables = { ["INTERGUEST_ENDPOINT"] = Switch.Endpoint } };
        Assert.Equal(0, await terminal.RunAsync(arguments));
        Assert.StartsWith("interguest: note: vectors=0: QEMU 7.2 without KVM crashes", terminal.Error.ToString());
    }

    [Fact]
    public async Task AQemuThatIsNotThereIsTheNewestAndThatIsSaid()
    {
        Control.Ports.Add(Samples.Running("a"));
        CliRun run = Cli();
        Assert.Equal(0, await run.RunAsync("qemu", "a", "--accel", "tcg", "--qemu", "/nowhere/qemu"));
        Assert.StartsWith("interguest: note: '/nowhere/qemu --version' says nothing", run.Error.ToString());
        Assert.Contains("reconnect-ms=1000", run.Out.ToString());
        Assert.DoesNotContain("vectors=0", run.Out.ToString());
    }

    [Fact]
    public async Task JsonIsTheArgumentsUnquotedAndTheNotes()
    {
        Control.Ports.Add(Samples.Running("a"));
        Control.Ports[0].SocketPath = "/run/it's here/a.sock";
        using JsonDocument json = JsonDocument.Parse(
            await Cli().OutputAsync("qemu", "a", "--accel", "tcg", "--qemu", Qemu("8.0.0"), "--json"));
        string[] arguments =
            json.RootElement.GetProperty("arguments").EnumerateArray().Select(e => e.GetString()!).ToArray();
        Assert.Equal(["-accel", "tcg", "-m", "512M"], arguments[..4]);
        Assert.Contains("socket,id=a-char,path=/run/it's here/a.sock,reconnect=1", arguments);
        Assert.Contains("vectors=0", json.RootElement.GetProperty("notes")[0].GetString());
    }

    [Theory]
    [InlineData("--memory", "lots")]
    [InlineData("--accel", "xen")]
    public async Task WrongOptionsAreUsageErrors(string option, string value) =>
        Assert.Equal(ExitCodes.Usage, await Cli().RunAsync("qemu", "a", option, value));

    private string Qemu(string version) => _directory.Script("qemu", $"echo 'QEMU emulator version {version}'");
}
