using Google.Protobuf.WellKnownTypes;
using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Commands;

public class LinkCommandsTests : SwitchTest
{
    [Fact]
    public async Task AddSaysHowTheLinkIsAndWarns()
    {
        CliRun run = Cli();
        Assert.Equal(0, await run.RunAsync("link", "add", "lan", "a", "b"));
        Assert.Equal("link lan is waiting: port b: no guest\n", run.Out.ToString());
        Assert.Equal("interguest: warning: a sends checksums for b to fill in\n", run.Error.ToString());
        Assert.Equal(
            new CreateLinkRequest { Name = "lan", Ports = { "a", "b" } }, Control.OnlyRequest<CreateLinkRequest>());
    }

    [Theory]
    [InlineData("500ms", 0, 500_000_000)]
    [InlineData("2s", 2, 0)]
    [InlineData("0", 0, 0)]
    [InlineData("0s", 0, 0)]
    [InlineData("1.5s", 1, 500_000_000)]
    [InlineData("250us", 0, 250_000)]
    [InlineData("3600s", 3600, 0)] // too long, but that is the switch's to say
    public async Task HoldIsPassed(string text, long seconds, int nanos)
    {
        await Cli().RunAsync("link", "add", "lan", "a", "b", "--hold", text);
        Assert.Equal(new Duration { Seconds = seconds, Nanos = nanos }, Control.OnlyRequest<CreateLinkRequest>().Hold);
    }

    [Fact]
    public async Task WithoutHoldTheSwitchsDefaultHolds()
    {
        await Cli().RunAsync("link", "add", "lan", "a", "b");
        Assert.Null(Control.OnlyRequest<CreateLinkRequest>().Hold);
    }

    [Theory]
    [InlineData("2")]
    [InlineData("-2s")]
    [InlineData("s")]
    [InlineData("2 s")]
    [InlineData("2h")]
    [InlineData("1,5s")]
    [InlineData("99999999999999999999s")]
    public async Task OtherHoldsAreUsageErrors(string text)
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Usage, await run.RunAsync("link", "add", "lan", "a", "b", "--hold", text));
        Assert.StartsWith($"interguest: --hold: '{text}' is not a duration", run.Error.ToString());
        Assert.Empty(Control.Requests);
    }

    [Theory]
    [InlineData("auto", LinkPolicy.Auto)]
    [InlineData("translate", LinkPolicy.Translate)]
    [InlineData("replug", LinkPolicy.Replug)]
    [InlineData("minimal", LinkPolicy.Minimal)]
    [InlineData("multi-round", LinkPolicy.MultiRound)]
    public async Task ThePolicyIsPassed(string word, LinkPolicy policy)
    {
        await Cli().RunAsync("link", "add", "lan", "a", "b", "--policy", word);
        Assert.Equal(policy, Control.OnlyRequest<CreateLinkRequest>().Policy);
    }

    [Fact]
    public async Task AnotherPolicyIsAUsageError()
    {
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Usage, await run.RunAsync("link", "add", "lan", "a", "b", "--policy", "best"));
        Assert.Contains("multi-round", run.Error.ToString());
        Assert.Empty(Control.Requests);
    }

    [Fact]
    public async Task ReplugPrintsEachStepOnceAndEndsWithTheLast()
    {
        foreach (string text in new[] { "begins", "begins", "asks the guest", "waits" })
            Control.LinkChanges.Enqueue(Replugged(ReplugState.Running, text));
        Control.LinkChanges.Enqueue(Replugged(ReplugState.Done, "the guest runs without CSUM"));
        Assert.Equal(
            "port a: begins\nport a: asks the guest\nport a: waits\nport a: the guest runs without CSUM\n",
            await Cli().OutputAsync("link", "replug", "lan"));
        Assert.Equal(new ReplugLinkRequest { Name = "lan" }, Control.Requests.First());
    }

    [Fact]
    public async Task AReplugThatIsGivenUpFails()
    {
        Control.LinkChanges.Enqueue(Replugged(ReplugState.Running, "asks the guest"));
        Control.LinkChanges.Enqueue(Replugged(ReplugState.Failed, "the guest did not let go"));
        CliRun run = Cli();
        Assert.Equal(ExitCodes.Refused, await run.RunAsync("link", "replug", "lan"));
        Assert.Equal("port a: asks the guest\n", run.Out.ToString());
        Assert.Contains("port a: the guest did not let go", run.Error.ToString());
    }

    [Fact]
    public async Task AReplugAsJsonIsTheLinkAtItsEnd()
    {
        Control.LinkChanges.Enqueue(Replugged(ReplugState.Running, "asks the guest"));
        Control.LinkChanges.Enqueue(Replugged(ReplugState.Done, "done"));
        using var json = System.Text.Json.JsonDocument.Parse(await Cli().OutputAsync("link", "replug", "lan", "--json"));
        Assert.Equal("REPLUG_STATE_DONE", json.RootElement.GetProperty("replugs")[0].GetProperty("state").GetString());
    }

    [Fact]
    public async Task ShowPrintsEachRoundByFeatureName()
    {
        Link link = Samples.Up("lan", "a", "b");
        link.Negotiation = new Negotiation
        {
            State = NegotiationState.Agreed,
            Rounds =
            {
                new NegotiationRound { Number = 1, Sides = { Side("a", ["CSUM", "MULTI_ROUND"], ["CSUM", "MULTI_ROUND"]), Side("b", ["CSUM", "MULTI_ROUND"], ["MULTI_ROUND"]) } },
                new NegotiationRound
                {
                    Number = 2,
                    Final = true,
                    Sides = { Side("a", ["MRG_RXBUF"], []), new RoundSide { Port = "b", Answered = true, Taken = { "CSUM" } } },
                    Lost = { "a: CSUM: b is without GUEST_CSUM" },
                },
            },
        };
        link.Replugs.Add(new Replug { Port = "b", State = ReplugState.Failed, Text = "the guest did not let go" });
        Control.Links.Add(link);
        string[] lines = [.. (await Cli().OutputAsync("link", "show", "lan")).Split('\n').Select(l => string.Join(" | ", l.Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)))];
        Assert.Equal(
            [
                "Negotiation | agreed",
                "Round 1 | a was offered CSUM, MULTI_ROUND", "a took all", "b was offered CSUM, MULTI_ROUND", "b took all but CSUM",
                "Round 2, the last | a was offered MRG_RXBUF", "a took all but MRG_RXBUF", "b is outside the rounds, and took CSUM",
                "lost: a: CSUM: b is without GUEST_CSUM",
                "Re-plug of b | failed: the guest did not let go",
            ],
            lines.SkipWhile(l => !l.StartsWith("Negotiation", StringComparison.Ordinal)).TakeWhile(l => !l.StartsWith("Warnings", StringComparison.Ordinal)));
    }

    private static RoundSide Side(string port, string[] offered, string[] taken) =>
        new() { Port = port, InRounds = true, Answered = true, Offered = { offered }, Taken = { taken } };

    private static Link Replugged(ReplugState state, string text) =>
        new() { Name = "lan", Replugs = { new Replug { Port = "a", State = state, Text = text } } };

    [Theory]
    [InlineData("up", true)]
    [InlineData("down", false)]
    public async Task UpAndDown(string word, bool up)
    {
        Assert.Equal($"link lan is {word}\n", await Cli().OutputAsync("link", word, "lan"));
        Assert.Equal(new SetLinkUpRequest { Name = "lan", Up = up }, Control.OnlyRequest<SetLinkUpRequest>());
    }

    [Fact]
    public async Task MoveNamesTheLoop()
    {
        Assert.Equal("link lan is up\n", await Cli().OutputAsync("link", "move", "lan", "1"));
        Assert.Equal(new MoveLinkRequest { Name = "lan", Loop = 1 }, Control.OnlyRequest<MoveLinkRequest>());
    }

    [Fact]
    public async Task RemoveSaysNothing()
    {
        Assert.Equal("", await Cli().OutputAsync("link", "remove", "lan"));
        Assert.Equal("lan", Control.OnlyRequest<DeleteLinkRequest>().Name);
    }

    [Fact]
    public async Task ListIsATable()
    {
        Control.Links.AddRange([Samples.Up("lan", "a", "b"), Samples.Waiting("test", "c", "d")]);
        Assert.Equal(
            """
            NAME  STATE    PORTS  HOLD    REASON
            lan   up       a - b  500 ms  -
            test  waiting  c - d  0 s     port d is faulted

            """,
            await Cli().OutputAsync("link", "list"));
    }

    [Fact]
    public async Task ShowHasEverything()
    {
        Control.Links.Add(Samples.Up("lan", "a", "b"));
        Assert.Equal(
            """
            Name          lan
            State         up since 2026-03-04 11:48:00 (12 min 0 s)
            Set to        up
            Ports         a - b
            Hold          500 ms for a receiver without free buffers
            Loop          0
            Policy        auto
            Negotiation   none: neither guest knows rounds, or the policy has none
            Warnings      none
            a -> b        1,234,567 frames, 1.5 GB
              translated  1,000 frames into 45,000, 63 MB added up, 21 ms of the switch's time
              drops       17 receiver_full
            b -> a        89 frames, 6 kB
              translated  none
              drops       none

            """,
            await Cli().OutputAsync("link", "show", "lan"));
    }

    [Fact]
    public async Task ShowOfALinkThatWaitsSaysForWhat()
    {
        Control.Links.Add(Samples.Waiting("lan", "a", "b"));
        string output = await Cli().OutputAsync("link", "show", "lan");
        Assert.Contains("Reason       port b is faulted\n", output);
        Assert.Contains("Warnings     a sends segments of 64 KiB that b refused: ethtool -K eth0 tso off\n", output);
        Assert.Contains("Hold         none: frames without a free buffer are dropped at once\n", output);
    }
}
