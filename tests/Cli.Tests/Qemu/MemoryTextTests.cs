using InterGuest.Cli.Qemu;

namespace InterGuest.Cli.Tests.Qemu;

public class MemoryTextTests
{
    [Theory]
    [InlineData("512M", "512M")]
    [InlineData("2G", "2G")]
    [InlineData("2g", "2g")]
    [InlineData("512", "512M")] // -m means MiB, size= would mean bytes
    [InlineData("", null)]
    [InlineData("M", null)]
    [InlineData("0", null)]
    [InlineData("0M", null)]
    [InlineData("-1G", null)]
    [InlineData("1.5G", null)]
    [InlineData("1G,share=off", null)]
    [InlineData("512MB", null)]
    public void Sizes(string text, string? size) => Assert.Equal(size, MemoryText.Parse(text));
}
