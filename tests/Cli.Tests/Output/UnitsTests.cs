using Google.Protobuf.WellKnownTypes;
using InterGuest.Cli.Output;

namespace InterGuest.Cli.Tests.Output;

public class UnitsTests
{
    [Theory]
    [InlineData(0.0, "0 bit/s")]
    [InlineData(0.4, "0.4 bit/s")]
    [InlineData(999.0, "999 bit/s")]
    [InlineData(999.4, "999 bit/s")]
    [InlineData(999.5, "1 kbit/s")]
    [InlineData(1_000.0, "1 kbit/s")]
    [InlineData(9_940.0, "9.9 kbit/s")]
    [InlineData(9_960.0, "10 kbit/s")]
    [InlineData(1_234_567_890.0, "1.2 Gbit/s")]
    [InlineData(25_000_000_000.0, "25 Gbit/s")]
    [InlineData(999_600_000.0, "1 Gbit/s")]
    [InlineData(null, "-")]
    public void Bits(double? value, string text) => Assert.Equal(text, Units.BitsPerSecond(value));

    [Theory]
    [InlineData(0.0, "0")]
    [InlineData(12.0, "12")]
    [InlineData(83_123.0, "83 k")]
    [InlineData(1_500_000.0, "1.5 M")]
    [InlineData(null, "-")]
    public void Counts(double? value, string text) => Assert.Equal(text, Units.Count(value));

    [Theory]
    [InlineData(0UL, "0 B")]
    [InlineData(1500UL, "1.5 kB")]
    [InlineData(ulong.MaxValue, "18 EB")]
    public void Bytes(ulong value, string text) => Assert.Equal(text, Units.Bytes(value));

    [Theory]
    [InlineData(512UL << 20, "512 MiB")]
    [InlineData(3UL << 29, "1.5 GiB")]
    [InlineData(1023UL, "1023 B")]
    public void Memory(ulong value, string text) => Assert.Equal(text, Units.Memory(value));

    [Fact]
    public void NumbersAreGrouped() => Assert.Equal("1,234,567", Units.Number(1234567));

    [Theory]
    [InlineData(0, 0, "0 s")]
    [InlineData(0, 500_000_000, "500 ms")]
    [InlineData(0, 1_500_000, "1.5 ms")]
    [InlineData(0, 250_000, "250 us")]
    [InlineData(2, 0, "2 s")]
    [InlineData(1, 500_000_000, "1.5 s")]
    [InlineData(90, 0, "1 min 30 s")]
    [InlineData(3 * 3600 + 12 * 60, 0, "3 h 12 min")]
    [InlineData(50 * 3600, 0, "2 d 2 h")]
    public void Durations(long seconds, int nanos, string text) =>
        Assert.Equal(text, Units.Duration(new Duration { Seconds = seconds, Nanos = nanos }));

    [Fact]
    public void DurationsThatDotNetDoesNotHaveAreNoError()
    {
        Assert.Equal(TimeSpan.MaxValue, Units.Span(new Duration { Seconds = Duration.MaxSeconds * 4 }));
        Assert.Equal("-", Units.Duration((Duration?)null));
    }

    [Fact]
    public void AClockThatIsBehindTheSwitchMakesNoNegativeAge()
    {
        DateTimeOffset now = DateTimeOffset.UnixEpoch;
        Assert.Equal("0 s", Units.Age(Timestamp.FromDateTimeOffset(now.AddSeconds(5)), now));
        Assert.Equal("5 s", Units.Age(Timestamp.FromDateTimeOffset(now), now.AddSeconds(5.9)));
    }

    [Fact]
    public void TimesAreInTheZoneOfTheReader()
    {
        TimeZoneInfo zone = TimeZoneInfo.CreateCustomTimeZone("test", TimeSpan.FromHours(2), "test", "test");
        Assert.Equal("1970-01-01 02:00:00", Units.Time(new Timestamp(), zone));
    }
}
