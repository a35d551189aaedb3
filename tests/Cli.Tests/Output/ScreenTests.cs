using InterGuest.Cli.Output;
using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Output;

public class ScreenTests
{
    private static readonly string LongName = new('n', 64);

    [Fact]
    public void ElsewhereThanOnATerminalNothingIsWrappedOrPadded()
    {
        var run = new CliRun { Width = 80 };
        PortTable.Write(run.Context().Screen, [Samples.Running(LongName, LongName)]);
        string[] lines = run.Out.ToString().TrimEnd('\n').Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.Contains($"/run/interguest/{LongName}.sock", lines[1]);
        Assert.All(lines, line => Assert.Equal(line.TrimEnd(), line));
        Assert.All(run.Out.ToString(), c => Assert.True(c is '\n' or (>= ' ' and <= '~')));
    }

    [Fact]
    public void ATerminalIsNeverOverrunAndNothingIsLost()
    {
        var run = new CliRun { IsTerminal = true, Width = 80 };
        PortTable.Write(run.Context().Screen, [Samples.Running(LongName)]);
        string output = run.Out.ToString();
        Assert.All(output.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
        Assert.Equal(64 + 64, output.Count(c => c == 'n') - "running".Count(c => c == 'n') - "lan".Count(c => c == 'n')
            - "/run/interguest/".Count(c => c == 'n') - "net".Count(c => c == 'n'));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ColoursAreOnlyWhereTheyAreWanted(bool colours)
    {
        var run = new CliRun { IsTerminal = true, Colours = colours };
        PortTable.Write(run.Context().Screen, [Samples.Running("a"), Samples.Faulted("b")]);
        Assert.Equal(colours, run.Out.ToString().Contains('\u001b'));
        Assert.Contains("running", run.Out.ToString());
    }

    [Fact]
    public void NamesAreNotMarkup()
    {
        var run = new CliRun();
        PortTable.Write(run.Context().Screen, [new Port { Name = "[red]a[/]" }]);
        Assert.Contains("[red]a[/]", run.Out.ToString());
    }

    [Fact]
    public void LongValuesOfDetailsStayInTheirColumn()
    {
        var run = new CliRun { IsTerminal = true, Width = 40 };
        var lines = new KeyValues();
        lines.Add("Key", "one two three four five six seven eight nine ten eleven");
        lines.WriteTo(run.Context().Screen);
        string[] output = run.Out.ToString().TrimEnd('\n').Split('\n');
        Assert.True(output.Length > 1);
        Assert.All(output[1..], line => Assert.StartsWith("     ", line));
    }
}
