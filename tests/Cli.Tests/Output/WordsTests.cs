using Grpc.Core;
using InterGuest.Cli.Output;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Output;

public class WordsTests
{
    [Fact]
    public void EveryPortStateHasAWordOfItsOwn()
    {
        string[] words = Enum.GetValues<PortState>().Select(state => Words.Of(state).Word).ToArray();
        Assert.Equal(words.Length, words.Distinct().Count());
        Assert.DoesNotContain(words, word => word.Contains('('));
    }

    [Fact]
    public void EveryLinkStateHasAWordOfItsOwn()
    {
        string[] words = Enum.GetValues<LinkState>().Select(state => Words.Of(state).Word).ToArray();
        Assert.Equal(words.Length, words.Distinct().Count());
        Assert.DoesNotContain(words, word => word.Contains('('));
    }

    [Fact]
    public void AStateOfANewerSwitchIsShownByItsNumber() => Assert.Equal("unknown (99)", Words.Of((PortState)99).Word);

    [Theory]
    [InlineData(StatusCode.OK, "OK")]
    [InlineData(StatusCode.NotFound, "NOT_FOUND")]
    [InlineData(StatusCode.FailedPrecondition, "FAILED_PRECONDITION")]
    [InlineData(StatusCode.Unavailable, "UNAVAILABLE")]
    public void StatusCodesAreAsGrpcWritesThem(StatusCode code, string text) =>
        Assert.Equal(text, Words.StatusCode(code));

    [Fact]
    public void TerminalsAreNotToldWhatToDo() => Assert.Equal("a?[31mb", Words.Clean("a\u001b[31mb"));
}
