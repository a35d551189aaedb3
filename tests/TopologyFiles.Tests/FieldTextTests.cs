using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using InterGuest.Protos.V1;

namespace InterGuest.TopologyFiles.Tests;

public sealed class FieldTextTests
{
    private static readonly FieldDescriptor Big = PortCounters.Descriptor.FindFieldByName("tx_bytes");

    [Theory]
    [InlineData("0", 0ul, "0")]
    [InlineData("7", 7ul, "7")]
    [InlineData("10M", 10_000_000ul, "10M")]
    [InlineData("1500k", 1_500_000ul, "1500k")]
    [InlineData("1000k", 1_000_000ul, "1M")]
    [InlineData("18446744073709551615", ulong.MaxValue, "18446744073709551615")]
    public void NumbersHaveMultiples(string text, ulong value, string shortest)
    {
        Assert.Equal(value, FieldText.Parse(Big, text));
        Assert.Equal(shortest, FieldText.Format(Big, value));
    }

    [Theory]
    [InlineData("")]
    [InlineData("k")]
    [InlineData("1.5M")]
    [InlineData(" 1")]
    [InlineData("1K")]
    [InlineData("18446744073709551616")]
    [InlineData("18446744073709552T")]
    public void OtherTextsAreNoNumbers(string text) => Assert.Null(FieldText.Parse(Big, text));

    [Theory]
    [InlineData("0")]
    [InlineData("500ms")]
    [InlineData("2s")]
    [InlineData("1500ms")]
    [InlineData("250us")]
    [InlineData("0.001us")]
    public void DurationsAreWrittenAsTheyAreRead(string text) => Assert.Equal(text, DurationText.Format(DurationText.Parse(text)!));

    [Fact]
    public void EveryFieldOfWhatIsDeclaredCanBeWritten()
    {
        var fields = new[] { CreatePortRequest.Descriptor, CreateLinkRequest.Descriptor }.SelectMany(d => d.Fields.InFieldNumberOrder());
        Assert.All(fields, f => Assert.True(
            f.FieldType is FieldType.String or FieldType.Bool or FieldType.UInt32 or FieldType.UInt64 or FieldType.Enum or FieldType.Message,
            $"{f.FullName}: a topology file has no text for a {f.FieldType}"));
        Assert.NotNull(Duration.Descriptor);
    }
}
