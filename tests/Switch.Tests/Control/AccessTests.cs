using InterGuest.Switch.Control;

namespace InterGuest.Switch.Tests.Control;

/// <summary>Who may make which call.</summary>
public sealed class AccessTests
{
    private const string Look = "/interguest.v1.Control/GetStatus", Change = "/interguest.v1.Control/CreatePort";

    private static readonly Caller Alice = new(70001, [70001, 70100], null), Bob = new(70002, [70002], null);
    private static readonly Caller Carol = Caller.Unknown with { CommonName = "carol" };

    [Fact]
    public void WithoutRulesEverybodyWhoGetsThatFarMayDoEverything()
    {
        var access = Rules([], []);
        Assert.All([Alice, Carol, Caller.Unknown], c => Assert.Null(access.Refusal(c, Change)));
    }

    [Theory]
    [InlineData("alice")]
    [InlineData("70001")]
    [InlineData("%staff")]
    [InlineData("%70100")]
    public void AnOperatorIsNamedByUserOrGroup(string rule)
    {
        var access = Rules([rule], []);
        Assert.Null(access.Refusal(Alice, Change));
        Assert.NotNull(access.Refusal(Bob, Look));
        Assert.NotNull(access.Refusal(Carol, Look));
    }

    [Fact]
    public void AReaderMayLookAndNothingElse()
    {
        var access = Rules(["alice"], ["bob", "cn:carol"]);
        Assert.All([Bob, Carol], c => Assert.Null(access.Refusal(c, Look)));
        Assert.Equal(
            "user 70002 may not call CreatePort: that is for operators. Give the right with 'interguest-switch --operator 70002', or ask one of them",
            access.Refusal(Bob, Change));
        Assert.Contains("the holder of the certificate 'carol' may not call CreatePort", access.Refusal(Carol, Change), StringComparison.Ordinal);
        Assert.Contains("whoever comes without a certificate may not call GetStatus", access.Refusal(Caller.Unknown, Look), StringComparison.Ordinal);
    }

    [Fact]
    public void EverybodyIsAStar()
    {
        var access = Rules(["alice"], ["*"]);
        Assert.Null(access.Refusal(Caller.Unknown, Look));
        Assert.NotNull(access.Refusal(Caller.Unknown, Change));
    }

    /// <summary>A certificate's name is no user's, and the other way round.</summary>
    [Fact]
    public void KindsOfNamesAreNotMixedUp()
    {
        Assert.NotNull(Rules(["alice"], []).Refusal(Caller.Unknown with { CommonName = "alice" }, Change));
        Assert.NotNull(Rules(["cn:alice"], []).Refusal(Alice, Change));
        Assert.NotNull(Rules(["nobody-of-that-name"], []).Refusal(Alice, Change));
        Assert.NotNull(Rules(["%alice"], []).Refusal(Alice, Change));
    }

    [Fact]
    public void RootMayDoEverything() => Assert.Null(Rules(["alice"], []).Refusal(new Caller(0, [0], null), Change));

    [Theory]
    [InlineData("GetPort")]
    [InlineData("ListLinks")]
    [InlineData("Watch")]
    [InlineData("Diagnose")]
    [InlineData("Export")]
    [InlineData("Check")]
    public void TheseLook(string call) => Assert.True(Access.IsLooking($"/p.S/{call}"));

    [Theory]
    [InlineData("CreatePort")]
    [InlineData("DeletePort")]
    [InlineData("CreateLink")]
    [InlineData("DeleteLink")]
    [InlineData("SetLinkUp")]
    [InlineData("MoveLink")]
    [InlineData("Apply")]
    [InlineData("Capture")] // shows what guests say to each other
    [InlineData("Anything")]
    public void TheseDoNot(string call) => Assert.False(Access.IsLooking($"/p.GetService/{call}"));

    private static Access Rules(string[] operators, string[] readers) => new(
        operators, readers,
        name => name switch { "alice" or "70001" => 70001, "bob" => 70002, _ => null },
        name => name switch { "staff" or "70100" => 70100, _ => null });
}
