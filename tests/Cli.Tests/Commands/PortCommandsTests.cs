using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Commands;

public class PortCommandsTests : SwitchTest
{
    [Fact]
    public async Task AddPrintsTheSocketAlone()
    {
        Assert.Equal("/run/ig/a.sock\n", await Cli().OutputAsync("port", "add", "a"));
        Assert.Equal(new CreatePortRequest { Name = "a" }, Control.OnlyRequest<CreatePortRequest>());
    }

    [Fact]
    public async Task AddPassesItsOptions()
    {
        await Cli().OutputAsync(
            "port", "add", "a", "--type", "net", "--socket", "/x/a.sock", "--mode", "connect", "--queues", "4");
        Assert.Equal(
            new CreatePortRequest
            {
                Name = "a",
                Type = DeviceType.Net,
                SocketPath = "/x/a.sock",
                Mode = SocketMode.Connect,
                QueuePairs = 4,
            },
            Control.OnlyRequest<CreatePortRequest>());
    }

    [Fact]
    public async Task AddPassesLimitsInBitsAndBytes()
    {
        await Cli().OutputAsync("port", "add", "a", "--rate", "1G", "--burst", "256k", "--in-flight", "4M");
        Assert.Equal(
            new CreatePortRequest { Name = "a", Rate = 1_000_000_000, Burst = 256_000, InFlight = 4_000_000 },
            Control.OnlyRequest<CreatePortRequest>());
    }

    [Fact]
    public async Task SetPassesWhatWasSaidAndNoMore()
    {
        await Cli().OutputAsync("port", "set", "a", "--rate", "0");
        Assert.Equal(new SetPortRequest { Name = "a", Rate = 0 }, Control.OnlyRequest<SetPortRequest>());
    }

    [Theory]
    [InlineData("port set a", "nothing is to be set")]
    [InlineData("port set a --rate fast", "--rate: 'fast' is not a whole number, which may end in k, M, G or T")]
    [InlineData("port add a --burst 1.5k", "--burst: '1.5k' is not a whole number")]
    public async Task LimitsThatAreNoneAreRefused(string line, string why)
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Usage, await run.RunAsync(line.Split(' ')));
        Assert.Contains(why, run.Error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/run/vm/a.qmp", "/run/vm/a.qmp")]
    [InlineData("a.qmp", null)] // from here, not from the switch's directory
    [InlineData("", "")] // nowhere any more
    public async Task SetSaysWhereQmpIs(string path, string? sent)
    {
        Assert.Equal("", await Cli().OutputAsync("port", "set", "a", "--qmp", path));
        Assert.Equal(new SetPortRequest { Name = "a", QmpSocket = sent ?? Path.GetFullPath(path) }, Control.OnlyRequest<SetPortRequest>());
    }

    [Fact]
    public async Task AddPassesTheQmpSocket()
    {
        await Cli().OutputAsync("port", "add", "a", "--qmp", "/run/vm/a.qmp");
        Assert.Equal("/run/vm/a.qmp", Control.OnlyRequest<CreatePortRequest>().QmpSocket);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("@a")]
    [InlineData("list")]
    [InlineData("é/..")]
    [InlineData("-x")]
    public async Task NamesArePassedAsTheyAre(string name)
    {
        await Cli().OutputAsync("port", "add", "--", name);
        Assert.Equal(name, Control.OnlyRequest<CreatePortRequest>().Name);
    }

    [Theory]
    [InlineData("@/etc/hostname")] // no response file
    [InlineData("[suggest]")]
    [InlineData("")]
    public async Task NamesThatMeanSomethingElsewhereDoNotHere(string name)
    {
        await Cli().OutputAsync("port", "add", name);
        Assert.Equal(name, Control.OnlyRequest<CreatePortRequest>().Name);
    }

    [Fact]
    public async Task ARelativeSocketIsFromHereNotFromTheSwitchsDirectory()
    {
        await Cli().OutputAsync("port", "add", "a", "--socket", "a.sock");
        Assert.Equal(Path.GetFullPath("a.sock"), Control.OnlyRequest<CreatePortRequest>().SocketPath);
    }

    [Fact]
    public async Task OverTcpARelativeSocketIsTheSwitchsToRefuse()
    {
        await Cli().OutputAsync("--endpoint", Switch.TcpEndpoint, "port", "add", "a", "--socket", "a.sock");
        Assert.Equal("a.sock", Control.OnlyRequest<CreatePortRequest>().SocketPath);
    }

    [Fact]
    public async Task RemoveSaysNothing()
    {
        Assert.Equal("", await Cli().OutputAsync("port", "remove", "a"));
        Assert.Equal("a", Control.OnlyRequest<DeletePortRequest>().Name);
    }

    [Fact]
    public async Task ListIsATable()
    {
        Control.Ports.AddRange([Samples.Running("build-server"), Samples.Faulted("guest-3")]);
        Assert.Equal(
            """
            NAME          TYPE  STATE    LINK  QUEUES  SOCKET
            build-server  net   running  lan   1/2     /run/interguest/build-server.sock
            guest-3       net   faulted  -     0/1     /run/interguest/guest-3.sock

            """,
            await Cli().OutputAsync("port", "list"));
    }

    [Fact]
    public async Task AnEmptyListSaysHowToFillIt() =>
        Assert.Equal("No ports. Add one: interguest port add NAME\n", await Cli().OutputAsync("port", "list"));

    [Fact]
    public async Task ShowHasEverything()
    {
        Control.Ports.Add(Samples.Running("a"));
        Assert.Equal(
            """
            Name           a
            Type           net
            State          running since 2026-03-04 11:48:00 (12 min 0 s)
            Link           lan
            Socket         /run/interguest/a.sock
            Mode           listen
            Queue pairs    1 running of 2
            Front-end      process 4711, user 1000
            Guest memory   512 MiB mapped
            From guest     1,234,567 frames, 1.5 GB
            To guest       89 frames, 6 kB
            Drops          17 receiver_full
                           1 too_long
            Faults         none
            Messages       none
            Notifications  1,000 from the guest, 2,000 to it
            Connections    1, 0 messages refused
            Features       VIRTIO_F_VERSION_1 accepted
                           VIRTIO_NET_F_MRG_RXBUF accepted
                           VIRTIO_NET_F_MQ offered only

            """,
            await Cli().OutputAsync("port", "show", "a"));
    }

    [Fact]
    public async Task ShowOfAPortThatNobodyUsed()
    {
        Control.Ports.Add(new Port { Name = "a", State = PortState.Listening });
        string output = await Cli().OutputAsync("port", "show", "a");
        Assert.Contains("State          listening\n", output);
        Assert.Contains("Front-end      none\n", output);
        Assert.Contains("Drops          none\n", output);
        Assert.Contains("Features       none offered yet\n", output);
        Assert.DoesNotContain("Fault ", output);
    }

    [Fact]
    public async Task ShowOfAFaultSaysWhichRuleWasBroken()
    {
        Control.Ports.Add(Samples.Faulted("a"));
        string output = await Cli().OutputAsync("port", "show", "a");
        Assert.Contains("Fault          queue 1: descriptor 300 is outside of the table of 256\n", output);
        Assert.Contains("Faults         1 descriptor_index\n", output);
    }
}
