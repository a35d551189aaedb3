using InterGuest.Cli.Qemu;

namespace InterGuest.Cli.Tests.Qemu;

public class QemuTextTests
{
    [Theory]
    [InlineData("a", "a")]
    [InlineData("A-b.c_9", "A-b.c_9")]
    [InlineData("9a", "port-9a")]
    [InlineData("_a", "port-_a")]
    [InlineData("a,b é", "a_b__")]
    [InlineData("", "port-")]
    public void Ids(string name, string id) => Assert.Equal(id, QemuText.Id(name));

    [Fact]
    public void AnAddressIsStableOverVersionsOfThisProgram()
    {
        // Guests keep their configuration by it: never change it. FNV-1a of "a" is e40c292c.
        Assert.Equal("52:54:00:0c:29:c8", QemuText.Mac("a"));
        Assert.NotEqual(QemuText.Mac("a"), QemuText.Mac("b"));
    }

    [Fact]
    public void AddressesOfManyNamesDiffer()
    {
        string[] names = Enumerable.Range(0, 300).Select(i => $"guest{i}").ToArray();
        Assert.Equal(names.Length, names.Select(QemuText.Mac).Distinct().Count());
        Assert.All(names, name => Assert.Matches("^52:54:00(:[0-9a-f]{2}){3}$", QemuText.Mac(name)));
    }

    [Theory]
    [InlineData("size=512M,share=on", "size=512M,share=on")]
    [InlineData("", "''")]
    [InlineData("a b", "'a b'")]
    [InlineData("it's $HOME", "'it'\\''s $HOME'")]
    [InlineData("a;b", "'a;b'")]
    [InlineData("~/x", "'~/x'")]
    public void ShellWords(string word, string quoted) => Assert.Equal(quoted, QemuText.ShellQuote(word));
}
